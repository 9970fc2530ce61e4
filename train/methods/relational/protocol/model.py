"""The published regression of a clip among its neighbours, from pixels to predictions, for training on raw clips.

In the stream the same parts run as three graphs, each frame and each clip once. Here a batch brings all frames of all
context clips; as published, gradients flow through the query clip alone.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from ....models.relational import ClinicalContextHead, ClinicalHead, ClipEncoder, ContextFreeHead, ContextHead
from ..encoders import Encoder
from ..frame_stage import FrameModel, load_trained
from ..recipe import FrameConfig
from .recipe import ProtocolRecipe

ALONE = (ContextFreeHead, ClinicalHead)


class ClipRegressor(nn.Module):
    """Frame encoder, clip encoder and a head, which looks at the context or at the clip alone.

    encoder:       crops (N, S, S, 3) uint8 → features (N, D)
    head:          clip (B, D), context (B, K, D) → (B, L), or of `ALONE` and without the context
    noisy_context: encode the context as in training, with dropout and updates of running statistics, as published
    """

    def __init__(self, encoder: nn.Module, neck: ClipEncoder, head: nn.Module, *, noisy_context: bool = False) -> None:
        super().__init__()
        self.encoder = encoder
        self.neck = neck
        self.head = head
        self._noisy_context = noisy_context

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """crops (B, K, T, S, S, 3) uint8, the query in the middle → clip vectors (B, D), predictions (B, L)."""
        query = self.encode(crops[:, crops.shape[1] // 2])
        return query, self.head(query) if isinstance(self.head, ALONE) else self.head(query, self._context(crops))

    def answer(self, clips: Tensor, context: Tensor) -> Tensor:
        """Clip vectors (M, D) and the numbers (M, K) of the clips around each → predictions (M, L)."""
        out: Tensor = self.head(clips) if isinstance(self.head, ALONE) else self.head(clips, clips[context])
        return out

    def encode(self, crops: Tensor) -> Tensor:
        """crops (M, T, S, S, 3) → clip vectors (M, D)."""
        features: Tensor = self.encoder(crops.flatten(0, 1))  # (M · T, D)
        out: Tensor = self.neck(features.reshape(*crops.shape[:2], -1))
        return out

    @torch.no_grad()
    def _context(self, crops: Tensor) -> Tensor:
        """(B, K, D), without gradients."""
        is_training = self.training
        self.train(is_training and self._noisy_context)
        clips = self.encode(crops.flatten(0, 1)).reshape(*crops.shape[:2], -1)
        self.train(is_training)
        return clips


def make_regressor(recipe: ProtocolRecipe, frame: FrameConfig) -> ClipRegressor:
    """The model of a protocol before it is trained; raises TrainingError where its encoder's run has no checkpoint."""
    started = FrameModel(frame)
    if recipe.encoder.run:
        load_trained(started, Path(recipe.encoder.run))
    if recipe.encoder.learns == "norms":
        learn_norms_only(started.encoder)
    config = recipe.regressor
    neck = ClipEncoder(frame.dim, heads=config.heads, layers=config.layers, feedforward=config.feedforward)
    head = make_head(recipe, frame.dim)
    return ClipRegressor(started.encoder, neck, head, noisy_context=recipe.sequence.reference)


def make_head(recipe: ProtocolRecipe, dim: int) -> nn.Module:
    """The head that the protocol asks for; the last output of a clinical one is the total."""
    outputs, reference = len(recipe.outputs), recipe.sequence.reference
    match recipe.regressor.head:
        case "context":
            return ContextHead(dim, outputs, reference=reference)
        case "clinical":
            return ClinicalContextHead(dim, outputs - 1, reference=reference)
        case "clip":
            return ContextFreeHead(dim, outputs)
        case "clinical clip":
            return ClinicalHead(dim, outputs - 1)


def learn_norms_only(encoder: Encoder) -> None:
    """Freeze all of it but the scales and shifts of its normalisations, and its last linear map."""
    encoder.requires_grad_(requires_grad=False)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            module.requires_grad_(requires_grad=True)
    encoder.project.requires_grad_(requires_grad=True)
