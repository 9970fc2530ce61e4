"""The published regression of a clip among its neighbours, from pixels to predictions, for training on raw clips.

In the stream the same parts run as three graphs, each frame and each clip once. Here a batch brings all frames of all
context clips; as published, gradients flow through the query clip alone.
"""

import torch
from torch import Tensor, nn

from ....models.relational import ClipEncoder


class ClipRegressor(nn.Module):
    """Frame encoder, clip encoder and a head that looks at the context.

    encoder:      crops (N, S, S, 3) uint8 → features (N, D)
    head:         clip (B, D), context (B, K, D), valid (B, K) → (B, L)
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
        context = self._context(crops)
        return query, self.head(query, context)

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
