"""The scores of a regression, per output, and their uncertainty over groups of dependent rows.

The definitions are those of the relational-regression evaluation (population moments, see `metrics.correlation`):
constant predictions give a correlation and concordance of 0, never NaN.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .correlation import check_columns, concordance, pearson

Metric = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval per output: `low` and `high`, each (L,)."""

    low: Tensor
    high: Tensor


def ccc(pred: Tensor, target: Tensor) -> Tensor:
    """Lin's concordance correlation coefficient: (N, L), (N, L) → (L,) in [-1, 1]."""
    return concordance(pred, target)


def pcc(pred: Tensor, target: Tensor) -> Tensor:
    """Pearson's correlation coefficient: (N, L), (N, L) → (L,) in [-1, 1]."""
    return pearson(pred, target)


def rmse(pred: Tensor, target: Tensor) -> Tensor:
    """Root of the mean squared error, in the labels' unit: (N, L), (N, L) → (L,)."""
    check_columns(pred, target)
    return (pred - target).square().mean(dim=0).sqrt()


def mae(pred: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error, in the labels' unit: (N, L), (N, L) → (L,)."""
    check_columns(pred, target)
    return (pred - target).abs().mean(dim=0)


def bootstrap_interval(
    metric: Metric,
    pred: Tensor,
    target: Tensor,
    groups: Sequence[Hashable],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a metric when whole groups (subjects, videos) are drawn again with replacement.

    Rows of one group depend on each other, so single rows would give intervals that are too narrow.
    groups: the group of each of the N rows. level: in (0, 1). The same seed gives the same interval. Raises ValueError
    on unequal lengths, fewer than two groups, or a level outside its range.
    """
    check_columns(pred, target)
    if len(groups) != len(pred):
        raise ValueError(f"each of the {len(pred)} rows needs a group, found {len(groups)} groups")
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, found {level}")
    members = _rows_by_group(groups)
    if len(members) < 2:
        raise ValueError(f"a bootstrap over groups needs at least 2 groups, found {len(members)}")
    generator = torch.Generator().manual_seed(seed)
    scores = []
    for _ in range(resamples):
        drawn = torch.randint(len(members), (len(members),), generator=generator)
        rows = torch.cat([members[index] for index in drawn.tolist()])
        scores.append(metric(pred[rows], target[rows]))
    tail = (1 - level) / 2
    sample = torch.stack(scores)  # (resamples, L)
    return Interval(low=sample.quantile(tail, dim=0), high=sample.quantile(1 - tail, dim=0))


def _rows_by_group(groups: Sequence[Hashable]) -> list[Tensor]:
    """The row numbers of each group, in order of first appearance."""
    rows: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    return [torch.tensor(numbers) for numbers in rows.values()]
