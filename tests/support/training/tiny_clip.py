"""A tiny CLIP with random weights, saved as `transformers` saves one: a vocabulary of four words and the letters."""

import json
from pathlib import Path

import torch

WORDS = ["calm</w>", "face</w>", "smile</w>", "<|startoftext|>", "<|endoftext|>"]
DIM, SIDE = 8, 16


def save_tiny_clip(path: Path) -> None:
    """Write the model and its tokenizer into the folder."""
    import transformers

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = letters + [f"{letter}</w>" for letter in letters] + WORDS
    (path / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(vocabulary)}))
    (path / "merges.txt").write_text("#version: 0.2\n")
    tower = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    end = {"eos_token_id": len(vocabulary) - 1, "bos_token_id": len(vocabulary) - 2, "pad_token_id": 0}
    config = transformers.CLIPConfig(
        text_config={**tower, **end, "vocab_size": len(vocabulary), "projection_dim": DIM},
        vision_config={**tower, "image_size": SIDE, "patch_size": 8, "projection_dim": DIM},
        projection_dim=DIM,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(path)
    transformers.CLIPTokenizer(str(path / "vocab.json"), str(path / "merges.txt")).save_pretrained(path)
