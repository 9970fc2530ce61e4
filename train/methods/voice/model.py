"""A small regression on prosody: standardised, kept within what was seen, and linear unless the recipe says more."""

import torch
from torch import Tensor, nn

from .recipe import VoiceRecipe

REACH = 3.0  # deviations: what lies beyond is of another channel, and no more aroused for it
LEAST_DEVIATION = 1e-4


class ProsodyRegression(nn.Module):
    """Features (N, F) → arousal (N, 1), unbounded.

    train: (N, F) what is trained on, whose mean and deviation become part of the model
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, recipe: VoiceRecipe, train: Tensor) -> None:
        super().__init__()
        self.noise = recipe.noise
        self.register_buffer("mean", train.mean(dim=0))
        self.register_buffer("deviation", train.std(dim=0).clamp_min(LEAST_DEVIATION))
        width = train.shape[1]
        self.regress = (
            nn.Sequential(nn.Linear(width, recipe.hidden), nn.GELU(), nn.Linear(recipe.hidden, 1))
            if recipe.hidden
            else nn.Linear(width, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """While training, each feature is off by a random amount."""
        standard = ((features - self.mean) / self.deviation).clamp(-REACH, REACH)
        if self.training:
            standard = standard + self.noise * torch.randn_like(standard)
        found: Tensor = self.regress(standard)
        return found
