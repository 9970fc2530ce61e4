"""Scores of one column of predictions, (N,) float against (N,) float."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def accuracy(guess: Array, label: Array) -> float:
    """Share of class numbers that are right."""
    return float((guess == label).mean())


def recalls(guess: Array, label: Array) -> dict[int, float]:
    """Per class that occurs, the share that is recognised."""
    return {number: float((guess[label == number] == number).mean()) for number in map(int, np.unique(label))}


def mean_recall(guess: Array, label: Array) -> float:
    """Mean of the recalls of the classes that occur."""
    return float(np.mean(list(recalls(guess, label).values())))


def mean(found: Array, _truth: Array) -> float:
    """Mean of the first column; shares of hits have no second one."""
    return float(found.mean())


def median(found: Array, _truth: Array) -> float:
    """Median of the first column."""
    return float(np.median(found))


def ccc(found: Array, truth: Array) -> float:
    """Lin's concordance correlation, [-1, 1]."""
    covariance = ((found - found.mean()) * (truth - truth.mean())).mean()
    return float(2 * covariance / (found.var() + truth.var() + (found.mean() - truth.mean()) ** 2 + 1e-12))


def pcc(found: Array, truth: Array) -> float:
    """Pearson's correlation; 0 for constant predictions."""
    return float(np.corrcoef(found, truth)[0, 1]) if found.std() > 0 else 0.0
