"""A classifier of faces that keeps its maps: the frame encoder's trunk, an average over the picture, one linear map."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from ...models.frame_encoder import FrameEncoder, standardise
from .spatial import class_activation_map


class Classified(NamedTuple):
    """logits (N, K) and the features (N, C, h, w) of the last layer, from which they were averaged."""

    logits: Tensor
    features: Tensor


class SpatialClassifier(nn.Module):
    """Grey faces to classes: (N, S, S), 0 to 255 → logits (N, K) and maps (N, C, h, w), h = S / 2^stages.

    classes: K. widths, depths: of the trunk's stages, see `FrameEncoder`; few stages keep the maps large
    """

    def __init__(self, classes: int, *, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        trunk = FrameEncoder(1, widths=widths, depths=depths)
        self.stem, self.blocks, self.expand = trunk.stem, trunk.blocks, trunk.expand
        self.classify = nn.Linear(trunk.project.in_features, classes)

    def forward(self, pictures: Tensor) -> Classified:
        """Greys are standardised picture by picture."""
        maps = F.relu(self.stem(standardise(pictures.float())[:, None]))
        features = F.relu(self.expand(self.blocks(maps)))
        return Classified(self.classify(features.mean(dim=(2, 3))), features)

    def activation_maps(self, features: Tensor, classes: Tensor) -> Tensor:
        """The class activation map of each picture for a class: (N, C, h, w), (N,) → (N, 1, h, w)."""
        return class_activation_map(features, self.classify.weight, classes)
