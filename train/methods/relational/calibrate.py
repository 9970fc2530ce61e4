"""Conformal intervals: how many of its own error estimates wide an interval must be to hold 90 % of the truth."""

import math

import msgspec
import torch
from torch import Tensor

from ...data.labelled_clips import AFFECT_LABELS

LEVEL = 0.9


class Quantiles(msgspec.Struct, frozen=True):
    """Of |error| / spread, per output: in a stream, and for stills, whose errors are of another kind."""

    stream: dict[str, float]
    still: dict[str, float]


def conformal_quantiles(pred: Tensor, spread: Tensor, truth: Tensor, *, level: float = LEVEL) -> dict[str, float]:
    """The quantile of |error| / spread per output, with the finite-sample correction; all (N, 2).

    Raises:
        ValueError: so few rows that no finite interval reaches the level.
    """
    count = len(pred)
    rank = _ceil((count + 1) * level)
    if rank > count:
        enough = _ceil(level / (1 - level))
        raise ValueError(f"{count} held-out rows are too few for {level:.0%} intervals; {enough} are enough")
    scores = ((pred - truth).abs() / spread).sort(dim=0).values[rank - 1]
    return dict(zip(AFFECT_LABELS, scores.tolist(), strict=True))


def coverage(pred: Tensor, spread: Tensor, truth: Tensor, quantiles: dict[str, float]) -> dict[str, float]:
    """Share of rows whose truth lies in pred ± quantile · spread, per output."""
    width = spread * torch.tensor([quantiles[name] for name in AFFECT_LABELS])
    inside = ((pred - truth).abs() <= width).float().mean(dim=0)
    return dict(zip(AFFECT_LABELS, inside.tolist(), strict=True))


def _ceil(value: float) -> int:
    """The next whole number, where 9.000000000000002 is meant to be 9."""
    return math.ceil(round(value, 9))
