"""Tiny vision models with random weights, saved as `transformers` saves them."""

import json
from pathlib import Path
from typing import Any

import torch

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
PROCESSORS = {"resnet": "ConvNextImageProcessor", "vit": "ViTImageProcessor"}
SIDE = 32  # that the transformer is bound to


def save_tiny_vision(path: Path, kind: str) -> Path:
    """A "resnet" of 24 features or a "vit" of 16, with its image processor's settings."""
    import transformers

    torch.manual_seed(0)
    shape: dict[str, Any]
    model: Any
    if kind == "resnet":
        shape = {"embedding_size": 8, "hidden_sizes": [8, 24], "depths": [1, 1], "layer_type": "basic"}
        model = transformers.ResNetModel(transformers.ResNetConfig(**shape))
    else:
        shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = transformers.ViTConfig(**shape, image_size=SIDE, patch_size=8)
        model = transformers.ViTModel(config, add_pooling_layer=False)
    model.save_pretrained(path)
    settings = {"image_processor_type": PROCESSORS[kind], "do_normalize": True, "image_mean": MEAN, "image_std": STD}
    (path / "preprocessor_config.json").write_text(json.dumps(settings))
    return path
