"""The alignment loss: a layer's attention should lie where the action units of the expression are.

Belharbi et al., "Guided Interpretable Facial Expression Recognition via Spatial Action Unit Cues", FG 2024. It is added
to the cross-entropy with a weight (published: 9 for AffectNet, best about 4 for RAF-DB), on the last stage alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .recipe import AlignmentKind, Channels
from .spatial import attention_map, map_cosine, resize_region

STD_EPSILON = 1e-4


def au_alignment_loss(
    features: Tensor | Sequence[Tensor],
    heatmaps: Tensor,
    *,
    kind: AlignmentKind = "cosine",
    channels: Channels = "all",
    share: float = 1.0,
) -> Tensor:
    """Mean over layers of the distance between attention and heat map, a scalar.

    features: (B, C, h, w) of one layer, or of several; the attention is the mean over their channels
    heatmaps: (B, 1, H, W) from `train.methods.au_guided.regions.heatmaps`; a sample with an infinite value is left out
    kind:     "cosine" is published, 1 - cos in [0, 2]; "std_cosine" standardises the attention first; "l1" and "l2"
              are mean absolute and squared differences; "kl" takes the attention's softmax over the picture and the
              heat map as chances pixel by pixel, and averages their divergence
    channels, share: which channels the attention is the mean of, see `attention_map`

    With no usable sample the loss is a zero that carries no gradient. Raises ValueError on other shapes, an unknown
    kind, or no layer.
    """
    layers = [features] if isinstance(features, Tensor) else list(features)
    expected = (len(heatmaps), 1)
    if not layers or heatmaps.ndim != 4 or heatmaps.shape[:2] != expected:
        raise ValueError(f"alignment takes at least one layer and heat maps (B, 1, H, W), found {len(layers)} layers "
                         f"and {tuple(heatmaps.shape)}")  # fmt: skip
    if any(layer.ndim != 4 or len(layer) != len(heatmaps) for layer in layers):
        raise ValueError(f"each layer must be (B, C, h, w) with B = {len(heatmaps)}, found "
                         f"{[tuple(layer.shape) for layer in layers]}")  # fmt: skip
    usable = heatmaps.flatten(1).isfinite().all(dim=1)
    if not usable.any():
        return heatmaps.new_zeros(())
    attentions = [attention_map(layer[usable], channels=channels, share=share) for layer in layers]
    return torch.stack([_distance(attention, heatmaps[usable], kind) for attention in attentions]).mean()


def _distance(attention: Tensor, heatmaps: Tensor, kind: AlignmentKind) -> Tensor:
    target = resize_region(heatmaps, (attention.shape[2], attention.shape[3])).to(attention.dtype)
    if kind == "l1":
        return (attention - target).abs().mean()
    if kind == "l2":
        return (attention - target).square().mean()
    if kind == "kl":
        return _binary_divergence(attention, target)
    if kind == "std_cosine":
        attention = _standardised(attention)
    elif kind != "cosine":
        raise ValueError(f"alignment is measured by cosine, std_cosine, l1, l2 or kl, found '{kind}'")
    return (1 - map_cosine(attention, target)).mean()


def _standardised(attention: Tensor) -> Tensor:
    """Each sample's map with mean 0 and standard deviation about 1."""
    dims = (1, 2, 3)
    centred = attention - attention.mean(dim=dims, keepdim=True)
    return centred / (attention.std(dim=dims, keepdim=True) + STD_EPSILON)


def _binary_divergence(attention: Tensor, target: Tensor) -> Tensor:
    """Mean over all pixels of the divergence of Bernoulli chances, from the attention's softmax to the heat map."""
    log_chance = attention.flatten(1).log_softmax(dim=1)
    hit = target.flatten(1)
    log_other = torch.log1p(-log_chance.exp().clamp(max=1 - torch.finfo(log_chance.dtype).eps))
    entropy = torch.xlogy(hit, hit) + torch.xlogy(1 - hit, 1 - hit)
    return (entropy - hit * log_chance - (1 - hit) * log_other).mean()
