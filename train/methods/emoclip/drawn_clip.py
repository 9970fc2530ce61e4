"""A tiny CLIP with random weights and a tokenizer without a vocabulary, for runs on drawn data: it has seen nothing."""

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor

from .clip_towers import LONGEST_TEXT, ClipTowers, open_clip

DRAWN = "drawn"
SIDE = 48
BEGIN, END, FIRST_WORD, WORDS = 1, 2, 3, 1000


class HashedWords:
    """Each word's number is a checksum of its letters."""

    def __call__(
        self, texts: Sequence[str], *, max_length: int = LONGEST_TEXT, **_: object
    ) -> dict[str, Tensor]:  # fmt: skip
        """input_ids and attention_mask (M, L) int64, padded with the end token."""
        rows = [[BEGIN, *self._numbers(text)[: max_length - 2], END] for text in texts]
        longest = max(map(len, rows))
        padded = [row + [END] * (longest - len(row)) for row in rows]
        used = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return {"input_ids": torch.tensor(padded), "attention_mask": torch.tensor(used)}

    def _numbers(self, text: str) -> list[int]:
        words = text.lower().replace(".", " ").replace(",", " ").split()
        return [FIRST_WORD + zlib.crc32(word.encode()) % WORDS for word in words]


def open_named(source: str, dim: int) -> ClipTowers:
    """The CLIP of a folder or a downloaded name, or a tiny random one with D = `dim` axes by the name "drawn".

    Raises TrainingError as `open_clip`.
    """
    return drawn_clip(dim, SIDE, seed=0) if source == DRAWN else open_clip(source)


def drawn_clip(dim: int, side: int, *, seed: int) -> ClipTowers:
    """Towers whose joint space has D = `dim` axes, for pictures of `side` pixels, a multiple of 8."""
    import transformers

    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": BEGIN, "eos_token_id": END, "pad_token_id": END, "vocab_size": FIRST_WORD + WORDS}
    config = transformers.CLIPConfig(
        text_config={**tower, **ends, "projection_dim": dim},
        vision_config={**tower, "image_size": side, "patch_size": 8, "projection_dim": dim},
        projection_dim=dim,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.CLIPModel(config)
    return ClipTowers(model, HashedWords())
