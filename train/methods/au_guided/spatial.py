"""What a classifier looks at: maps that are read from spatial features, and how well they agree with a region.

A classifier that averages its last features over the picture and then applies one linear map has a class activation
map; any layer has an attention, the mean of its channels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .recipe import Channels

COSINE_EPSILON = 1e-8


class Agreement(NamedTuple):
    """Mean agreement of maps with regions, scalars in [-1, 1], and over how many samples it was taken.

    The cosine of maps without negative values is about 0.5 for a map that is the same everywhere; Pearson's correlation
    is 0 there.
    """

    cosine: Tensor
    pearson: Tensor
    samples: int


def attention_map(features: Tensor, *, channels: Channels = "all", share: float = 1.0) -> Tensor:
    """The mean over the channels, as it is: (B, C, h, w) → (B, 1, h, w).

    channels: "left" and "right" take the halves; "first" the first `share` of the channels; "random" each channel with
              the chance `share`, drawn anew for every sample and call, and 0 for a sample that drew none

    Raises ValueError on an unknown choice or a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share of the channels lies above 0 and up to 1, found {share}")
    if channels == "random":
        drawn = torch.rand(features.shape[:2], device=features.device) < share
        chosen = drawn[:, :, None, None].to(features.dtype)
        return (features * chosen).sum(dim=1, keepdim=True) / chosen.sum(dim=1, keepdim=True).clamp(min=1)
    count = features.shape[1]
    half = max(1, count // 2)
    parts = {
        "all": slice(None),
        "left": slice(half),
        "right": slice(min(half, count - 1), None),
        "first": slice(max(1, int(count * share))),
    }
    if channels not in parts:
        raise ValueError(f"channels are chosen by all, left, right, first or random, found '{channels}'")
    return features[:, parts[channels]].mean(dim=1, keepdim=True)


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
