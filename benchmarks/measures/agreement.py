"""Scores of estimates against labels, in plain numpy, with bootstrap intervals over groups of dependent rows.

The definitions are those of `train.metrics.regression`: population moments, and 0 where a column does not vary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 500
EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its bootstrap interval; `count` rows in `groups` groups went into it."""

    value: float
    low: float
    high: float
    count: int
    groups: int


def ccc(pred: Array, truth: Array) -> float:
    """Lin's concordance correlation coefficient of two columns (N,), in [-1, 1]."""
    covariance = float(np.mean((pred - pred.mean()) * (truth - truth.mean())))
    shift = float(pred.mean() - truth.mean())
    return 2 * covariance / max(float(pred.var() + truth.var()) + shift**2, EPSILON)


def pcc(pred: Array, truth: Array) -> float:
    """Pearson's correlation coefficient of two columns (N,), in [-1, 1]."""
    covariance = float(np.mean((pred - pred.mean()) * (truth - truth.mean())))
    return covariance / max(float(pred.std() * truth.std()), EPSILON)


def mean_absolute_error(pred: Array, truth: Array) -> float:
    """Mean absolute difference of two columns (N,), in the labels' unit."""
    return float(np.mean(np.abs(pred - truth)))


def mean_recall(guess: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> float:
    """Mean over the classes that occur in `truth` of the share that is recognised."""
    return float(np.mean([np.mean(guess[truth == label] == label) for label in np.unique(truth)]))


def lost_ccc(before: Array, after: Array, truth: Array) -> float:
    """By how much the concordance with `truth` falls from one column of estimates to another."""
    return ccc(before, truth) - ccc(after, truth)


def mean(values: Array) -> float:
    """The mean; of a column of 0 and 1, a share."""
    return float(values.mean())


def median(values: Array) -> float:
    """The median."""
    return float(np.median(values))


def measure(score: Callable[..., float], groups: Sequence[str], *columns: npt.NDArray[Any], seed: int = 0) -> Measured:
    """A score of columns with the 95 % percentile interval over whole groups drawn again with replacement.

    score:  takes the columns, each (N,)
    groups: who or what each of the N rows belongs to; with fewer than two groups the interval is the value itself
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(group_of, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(group_of))[:-1])
    value = score(*columns)
    if len(names) < 2:
        return Measured(value, value, value, len(groups), len(names))
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(members), size=(RESAMPLES, len(members)))
    values = []
    is_single = len(names) == len(groups)
    for row in drawn:
        rows = order[row] if is_single else np.concatenate([members[index] for index in row])
        values.append(score(*(column[rows] for column in columns)))
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return Measured(value, low, high, len(groups), len(names))
