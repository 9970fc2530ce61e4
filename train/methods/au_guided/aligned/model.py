"""A classifier on the encoder's map, with a class activation map; and that map as the lens gives it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....data.drawn_faces import EXPRESSIONS
from ....data.stills import EMOTIONS
from ..model import Classified
from ..spatial import class_activation_map

SMALLEST = 1e-6


class AlignedHead(nn.Module):
    """(N, C, 8, 8) → logits (N, 7) and the features (N, channels, 8, 8) from which they were averaged."""

    def __init__(self, maps: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(maps)
        self.mix = nn.Conv2d(maps, channels, 1)
        self.near = nn.Conv2d(channels, channels, 3, padding=1)
        self.classify = nn.Linear(channels, len(EXPRESSIONS))

    def forward(self, maps: Tensor) -> Classified:
        """As the class says."""
        features = F.relu(self.near(F.relu(self.mix(self.norm(maps)))))
        return Classified(self.classify(features.mean(dim=(2, 3))), features)


class NamedActivation(nn.Module):
    """The class activation map of the emotion that the bundle names, 0 to 1 with the largest at 1: (N, 64).

    Contempt has no class of its own; then the next emotion is taken.
    """

    order: Tensor

    def __init__(self, head: AlignedHead) -> None:
        super().__init__()
        self.head = head
        columns = [EMOTIONS.index(name.lower()) for name in EXPRESSIONS]
        self.register_buffer("order", torch.tensor(columns))

    def forward(self, maps: Tensor, emotions: Tensor) -> Tensor:
        """maps (N, C, 8, 8), emotions (N, 8) → (N, 64)."""
        named = emotions[:, self.order].argmax(dim=1)
        found = F.relu(class_activation_map(self.head(maps).features, self.head.classify.weight, named)).flatten(1)
        return found / found.amax(dim=1, keepdim=True).clamp(min=SMALLEST)
