"""CLIP's two towers in the format of `transformers`: crops and sentences to one joint space.

`transformers` is imported when a model is opened. Nothing is fetched: a folder, or a name that was downloaded before.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import TrainingError
from ...models.quiet import quiet

PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)
LONGEST_TEXT = 77


class ClipTowers(nn.Module):
    """Both towers with their projections, frozen. dim: D of the joint space; side: of the pictures, in pixels.

    model, tokenizer: as `transformers` makes them, see `open_clip`
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(requires_grad=False)
        self.dim = int(model.config.projection_dim)
        self.side = int(model.config.vision_config.image_size)
        self.tokenizer = tokenizer
        self.register_buffer("mean", torch.tensor(PIXEL_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(PIXEL_STD)[:, None, None], persistent=False)

    @property
    def logit_scale(self) -> Tensor:
        """() logarithm of the factor on the cosines that the weights were trained with."""
        scale: Tensor = self.model.logit_scale
        return scale

    def forward(self, crops: Tensor) -> Tensor:
        """The frame encoder of a bundle: crops (N, S, S, 3) uint8 RGB → embeddings (N, D), not normalised."""
        pictures = crops.float().permute(0, 3, 1, 2) / 255
        if pictures.shape[2:] != (self.side, self.side):
            pictures = F.interpolate(pictures, (self.side, self.side), mode="bicubic", antialias=True).clamp(0, 1)
        hidden = self.model.vision_model(pixel_values=(pictures - self.mean) / self.std).pooler_output
        out: Tensor = self.model.visual_projection(hidden)
        return out

    @torch.no_grad()
    def sentences(self, texts: Sequence[str]) -> Tensor:
        """M sentences → (M, D), not normalised; what is beyond 77 tokens is cut off."""
        tokens = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=LONGEST_TEXT, return_tensors="pt"
        )
        device = self.logit_scale.device
        hidden = self.model.text_model(
            input_ids=tokens["input_ids"].to(device), attention_mask=tokens["attention_mask"].to(device)
        ).pooler_output
        out: Tensor = self.model.text_projection(hidden)
        return out


def open_clip(source: str | Path) -> ClipTowers:
    """Open a CLIP model with its tokenizer (`config.json`, `model.safetensors`, `vocab.json`, …).

    source: its folder, or the name under which it lies in the cache of `transformers`: openai/clip-vit-base-patch32

    Raises TrainingError if it is in neither place, or holds no CLIP weights in safetensors.
    """
    from transformers import CLIPModel, CLIPTokenizer

    try:
        with quiet():
            model = CLIPModel.from_pretrained(source, local_files_only=True, use_safetensors=True)
            tokenizer = CLIPTokenizer.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if Path(source).is_dir() else "neither a folder nor downloaded"
        raise TrainingError(
            f"{source}: holds no CLIP model ({reason}); give a folder in the format of transformers with weights as "
            f"safetensors, or a name that `hf download` has fetched"
        ) from error
    return ClipTowers(model, tokenizer)
