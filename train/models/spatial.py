"""What a classifier looks at: maps that are read from spatial features, and how well they agree with a region.

A classifier that averages its last features over the picture and then applies one linear map has a class activation
map; any layer has an attention, the mean of its channels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

COSINE_EPSILON = 1e-8


class Agreement(NamedTuple):
    """Mean agreement of maps with regions, scalars in [-1, 1], and over how many samples it was taken.

    The cosine of maps without negative values is about 0.5 for a map that is the same everywhere; Pearson's correlation
    is 0 there.
    """

    cosine: Tensor
    pearson: Tensor
    samples: int


def attention_map(features: Tensor) -> Tensor:
    """The mean over the channels, as it is: (B, C, h, w) → (B, 1, h, w)."""
    return features.mean(dim=1, keepdim=True)


def class_activation_map(features: Tensor, weight: Tensor, classes: Tensor) -> Tensor:
    """How each place speaks for a class: features (B, C, h, w), weight (K, C), classes (B,) int → (B, 1, h, w).

    weight: of the linear map after the average pool. The map's mean is the class's logit less its bias.
    """
    return torch.einsum("bchw,bc->bhw", features, weight[classes]).unsqueeze(1)


def resize_region(regions: Tensor, size: tuple[int, int]) -> Tensor:
    """Regions at the size of a layer: (B, 1, H, W) → (B, 1, h, w), within each sample's own least and largest value."""
    resized = F.interpolate(regions, size=size, mode="bilinear", align_corners=True, antialias=True)
    least, largest = regions.flatten(1).aminmax(dim=1)
    return resized.clamp(least[:, None, None, None], largest[:, None, None, None])


def map_cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosine of two maps of one size, sample by sample: (B, 1, h, w), (B, 1, h, w) → (B,); 0 for a map of zeros."""
    a, b = first.flatten(1), second.flatten(1)
    norms = torch.linalg.vector_norm(a, dim=1) * torch.linalg.vector_norm(b, dim=1)
    cosine: Tensor = (a * b).sum(dim=1) / norms.clamp(min=COSINE_EPSILON)
    return cosine


def agreement(maps: Tensor, regions: Tensor) -> Agreement:
    """How well maps (B, 1, h, w) agree with regions (B, 1, H, W); a sample whose region is not finite is left out.

    With class activation maps and the heat maps of the true labels this is CAM-COS, with a layer's attention ATT-COS.
    Both figures are NaN if no sample is left.
    """
    usable = regions.flatten(1).isfinite().all(dim=1)
    maps, regions = maps[usable], resize_region(regions[usable], (maps.shape[2], maps.shape[3]))
    centred = [side - side.mean(dim=(1, 2, 3), keepdim=True) for side in (maps, regions)]
    return Agreement(map_cosine(maps, regions).mean(), map_cosine(*centred).mean(), len(maps))
