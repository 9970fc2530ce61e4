"""The head of the map: convolutions on the encoder's spatial map, with what the whole face says beside each place."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamaffect.text.regions import SIDE

from ..recipe import OcclusionHeadConfig


class OcclusionHead(nn.Module):
    """(N, C, 8, 8), (N, D) → (N, 64): by how much the answer would fall where each place is hidden, row by row.

    A place is added to each, since the parts of an upright face lie in the same cells; the whole of the map and the
    features, since which emotion is named, and how surely, decides which part of the face speaks for it.
    """

    def __init__(self, maps: int, features: int, config: OcclusionHeadConfig) -> None:
        super().__init__()
        channels = config.channels
        self.norm = nn.BatchNorm2d(maps)
        self.norm_of_features = nn.BatchNorm1d(features)
        self.mix = nn.Conv2d(maps, channels, 1)
        self.shrink = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.whole = nn.Linear(channels * (SIDE // 2) ** 2 + features, channels)
        self.near = nn.Conv2d(channels, channels, 3, padding=1)
        self.place = nn.Parameter(torch.zeros(channels, SIDE, SIDE))
        self.narrow = nn.Conv2d(channels, channels // 2, 3, padding=1)
        self.drop = nn.Conv2d(channels // 2, 1, 1)
        self.dropout = nn.Dropout2d(config.dropout)
        self.dropout_of_whole = nn.Dropout(2 * config.dropout)

    def forward(self, maps: Tensor, features: Tensor) -> Tensor:
        """maps (N, C, 8, 8), features (N, D) → (N, 64)."""
        mixed = F.relu(self.mix(self.norm(maps)))
        parts = F.relu(self.shrink(mixed)).flatten(1), self.norm_of_features(features)
        whole = self.whole(self.dropout_of_whole(torch.cat(parts, dim=1)))
        near = F.relu(self.near(self.dropout(mixed)) + whole[:, :, None, None] + self.place)
        drop: Tensor = self.drop(F.relu(self.narrow(near)))
        return drop.flatten(1)
