"""The head of a lens: a small convolutional network on the encoder's spatial map, with the size of its own error."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .recipe import HeadConfig

SMALLEST_SPREAD = 1e-3


class MapHead(nn.Module):
    """(N, C, 8, 8) → logits of the values (N, L) and the spread of their errors (N, L).

    Most units rest near 0 on most faces: behind a sigmoid it takes little to say so, and a value cannot leave [0, 1].
    The spread is read from what the values are read from, and teaches it nothing.

    means: (L,) in (0, 1), what an untrained head answers
    """

    def __init__(self, maps: int, outputs: int, config: HeadConfig, means: Tensor | None = None) -> None:
        super().__init__()
        channels = config.channels
        self.norm = nn.BatchNorm2d(maps)
        self.mix = nn.Conv2d(maps, channels, 1)
        self.shrink = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.hidden = nn.Linear(channels * 16, config.hidden)
        self.values = nn.Linear(config.hidden, outputs)
        self.spread = nn.Linear(config.hidden, outputs)
        self.dropout = nn.Dropout(config.dropout)
        if means is not None:
            with torch.no_grad():
                self.values.bias.copy_(means.logit())

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """maps (N, C, 8, 8) → logits (N, L), spread (N, L) > 0."""
        mixed = F.relu(self.shrink(F.relu(self.mix(self.norm(maps)))))
        hidden = self.dropout(F.relu(self.hidden(self.dropout(mixed.flatten(1)))))
        logits: Tensor = self.values(hidden)
        spread = F.softplus(self.spread(hidden.detach())) + SMALLEST_SPREAD
        return logits, spread
