"""Subject-based adaptation: many labelled people, each a domain of its own, teach a model about one unlabelled person.

Zeeshan et al., "Subject-Based Domain Adaptation for Facial Expression Recognition", FG 2024. Three parts: a discrepancy
that draws the features of two people together (`mmd` or `coral`), pseudo-labels of the new person that are taken only
where the picture and its mirror image are judged with confidence (`select_pseudo_labels`), and the sum that is
minimised in both stages of training (`adaptation_loss`).
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Discrepancy = Callable[[Tensor, Tensor], Tensor]


class Domain(NamedTuple):
    """What a model makes of a batch of one person: features (N, D), logits (N, K), labels (N,) int64."""

    features: Tensor
    logits: Tensor
    labels: Tensor


class PseudoLabels(NamedTuple):
    """The rows that were kept, ascending: indices (M,) int64, confidences (M,) in (threshold, 1], labels (M,) int64."""

    indices: Tensor
    confidences: Tensor
    labels: Tensor


def mmd(
    source: Tensor,
    target: Tensor,
    *,
    kernel: Literal["rbf", "linear"] = "rbf",
    kernel_mul: float = 2.0,
    kernel_num: int = 5,
) -> Tensor:
    """Squared maximum mean discrepancy of two sets: source (N, D), target (M, D) → scalar, 0 for equal sets.

    kernel:     "rbf" is the sum of Gaussian kernels of `rbf_kernels`, in the biased form that keeps the diagonals;
                "linear" is the squared distance of the means
    kernel_mul, kernel_num: of `rbf_kernels`

    The gradient takes the kernels' bandwidth as given. Raises ValueError unless both have rows of one width.
    """
    _check_features(source, target, least_rows=1)
    if kernel == "linear":
        return (source.mean(dim=0) - target.mean(dim=0)).square().sum()
    count = len(source)
    kernels = rbf_kernels(torch.cat([source, target]), kernel_mul=kernel_mul, kernel_num=kernel_num)
    within = kernels[:count, :count].mean() + kernels[count:, count:].mean()
    return within - kernels[:count, count:].mean() - kernels[count:, :count].mean()


def rbf_kernels(rows: Tensor, *, kernel_mul: float = 2.0, kernel_num: int = 5) -> Tensor:
    """Sum of Gaussian kernels of every pair: (N, D) → (N, N) in [0, kernel_num].

    `sum_q exp(-d² / (base * kernel_mul ** q))` with q from 0 to `kernel_num` - 1 and `base_bandwidth`.
    """
    squared = _squared_distances(rows)
    base = base_bandwidth(squared, kernel_mul=kernel_mul, kernel_num=kernel_num)
    return torch.stack([(-squared / (base * kernel_mul**q)).exp() for q in range(kernel_num)]).sum(dim=0)


def base_bandwidth(squared: Tensor, *, kernel_mul: float = 2.0, kernel_num: int = 5) -> Tensor:
    """The narrowest kernel's width of squared distances (N, N): their mean over `kernel_mul ** (kernel_num // 2)`.

    A constant, above 0 even where all rows are equal.
    """
    count = len(squared)
    mean = squared.detach().sum() / (count**2 - count)
    return (mean / kernel_mul ** (kernel_num // 2)).clamp_min(torch.finfo(squared.dtype).tiny ** 0.5)


def coral(source: Tensor, target: Tensor, *, squared: bool = False) -> Tensor:
    """Distance of two sets' covariances: source (N, D), target (M, D) → scalar, their Frobenius distance over 4 D².

    squared: the squared distance of the CORAL paper; published for this method is the distance itself

    Raises ValueError unless both have at least two rows of one width.
    """
    _check_features(source, target, least_rows=2)
    difference = _covariance(source) - _covariance(target)
    distance = difference.square().sum() if squared else torch.linalg.matrix_norm(difference)
    return distance / (4 * source.shape[1] ** 2)


@torch.no_grad()
def select_pseudo_labels(
    logits: Tensor, logits_flipped: Tensor, threshold: float = 0.9, *, require_agreement: bool = False
) -> PseudoLabels:
    """The rows on which a picture and its mirror image are judged with confidence: two (N, K) → M kept rows.

    A row is kept if the mean of both views' largest probabilities exceeds `threshold`; its label is that of the more
    confident view.

    require_agreement: keep only rows on which both views choose the same class; the published rule does not ask

    Raises ValueError on unequal shapes.
    """
    if logits.ndim != 2 or logits.shape != logits_flipped.shape:
        raise ValueError(
            f"both views need logits of one shape (N, K), found {tuple(logits.shape)} and {tuple(logits_flipped.shape)}"
        )
    plain, flipped = logits.softmax(dim=1).max(dim=1), logits_flipped.softmax(dim=1).max(dim=1)
    confidence = (plain.values + flipped.values) / 2
    label = torch.where(plain.values > flipped.values, plain.indices, flipped.indices)
    kept = confidence > threshold
    if require_agreement:
        kept = kept & (plain.indices == flipped.indices)
    index = kept.nonzero().squeeze(1)
    return PseudoLabels(index, confidence[index], label[index])


def adaptation_loss(
    first: Domain, second: Domain, *, discrepancy: Discrepancy = mmd, weight: float = 1.0, reference: bool = False
) -> Tensor:
    """Cross-entropy of both domains and the discrepancy of their features → scalar.

    Stage 1: two people of the sources with their labels. Stage 2: the sources, and the target with its pseudo-labels.

    weight:    of the discrepancy
    reference: add the discrepancy as the authors' code does, as a number without a gradient, so that it changes what is
               logged and nothing of what is learned; NaN counts as 0. By default it trains, and a discrepancy that is
               not finite is left out with a RuntimeWarning.
    """
    value = discrepancy(first.features, second.features)
    if reference:
        value = value.detach().nan_to_num(nan=0.0)
    elif not bool(value.isfinite()):
        warnings.warn("the discrepancy is not finite and is left out of this step", RuntimeWarning, stacklevel=2)
        value = torch.zeros_like(value)
    supervised = F.cross_entropy(first.logits, first.labels) + F.cross_entropy(second.logits, second.labels)
    return supervised + weight * value


@torch.no_grad()
def closest_subjects(
    sources: Mapping[str, Tensor], target: Tensor, count: int, *, discrepancy: Discrepancy = mmd
) -> list[str]:
    """The `count` people whose features are most like the target's, the most alike first.

    sources: name of a person → features (N, D). target: (M, D).
    """
    distances = {name: float(discrepancy(features, target)) for name, features in sources.items()}
    return sorted(distances, key=lambda name: (distances[name], name))[:count]


def _squared_distances(rows: Tensor) -> Tensor:
    """|z_i - z_j|² of every pair, (N, N)."""
    centred = rows - rows.detach().mean(dim=0)  # keeps the digits that a common offset would take
    norms = centred.square().sum(dim=1)
    products: Tensor = centred @ centred.T
    return (norms.unsqueeze(1) + norms - 2 * products).clamp_min(0)


def _covariance(rows: Tensor) -> Tensor:
    centred = rows - rows.mean(dim=0)
    products: Tensor = centred.T @ centred
    return products / (len(rows) - 1)


def _check_features(source: Tensor, target: Tensor, *, least_rows: int) -> None:
    shapes = f"found {tuple(source.shape)} and {tuple(target.shape)}"
    if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1]:
        raise ValueError(f"source and target must be features (N, D) and (M, D), {shapes}")
    if min(len(source), len(target)) < least_rows:
        raise ValueError(f"source and target need at least {least_rows} rows each, {shapes}")
