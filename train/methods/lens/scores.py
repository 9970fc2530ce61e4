"""How well a head agrees with its teacher, and how much of the truth its intervals hold."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from streamaffect.types import BoolArray, FloatArray

from ...metrics.correlation import concordance, pearson

LEVEL = 0.9


class Agreement(NamedTuple):
    """Per output, (L,)."""

    pearson: FloatArray
    ccc: FloatArray


class Quantiles(NamedTuple):
    """(L,) of |error| / spread, in a stream and for stills."""

    stream: FloatArray
    still: FloatArray


def agreement(values: FloatArray, targets: FloatArray) -> Agreement:
    """Of values and targets, each (N, L)."""
    pair = torch.from_numpy(values.astype(np.float64)), torch.from_numpy(targets.astype(np.float64))
    return Agreement(pearson(*pair).numpy(), concordance(*pair).numpy())


def conformal_quantiles(errors: FloatArray, weights: FloatArray, *, level: float = LEVEL) -> FloatArray:
    """The weighted quantile of |error| / spread per output: errors (N, L), weights (N,) → (L,).

    With weights that give people equal shares it stands for a new person, as far as those seen stand for others.
    """
    order = np.argsort(errors, axis=0)
    ranked = np.take_along_axis(errors, order, axis=0)
    shares = np.cumsum(weights[order], axis=0) / weights.sum()
    wanted = min(level * (1 + 1 / len(errors)), 1.0)
    places = (shares < wanted - 1e-12).sum(axis=0).clip(max=len(errors) - 1)
    return np.asarray(np.take_along_axis(ranked, places[None], axis=0)[0], np.float32)


def coverage(values: FloatArray, spread: FloatArray, targets: FloatArray, quantiles: FloatArray) -> FloatArray:
    """Share of the truth within value ± quantile · spread, per output (L,)."""
    inside = np.abs(values - targets) <= quantiles * spread + 1e-9
    return np.asarray(inside.mean(axis=0), np.float32)


def area_under_curve(scores: FloatArray, is_one: BoolArray) -> float:
    """Chance that one that is has a higher score than one that is not; ties count half. scores, is_one: (N,)."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    ones, others = int(is_one.sum()), int((~is_one).sum())
    return float((ranks[is_one].sum() - ones * (ones + 1) / 2) / (ones * others))


def average_precision(scores: FloatArray, is_one: BoolArray) -> float:
    """Mean precision at the places of those that are, from the highest score down. scores, is_one: (N,)."""
    hits = is_one[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """To four digits; what is not a number is left out."""
    return {name: round(float(value), 4) for name, value in values.items() if math.isfinite(value)}
