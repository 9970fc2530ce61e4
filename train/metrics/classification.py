"""The scores of a classification: recall weighted and unweighted, F1 weighted and unweighted, all from one table."""

import torch
from torch import Tensor


def confusion(pred: Tensor, target: Tensor, classes: int) -> Tensor:
    """Counts by true class (row) and predicted class (column): (N,), (N,) int → (K, K) int64.

    Raises ValueError on unequal or empty inputs, and on a class outside [0, K).
    """
    if pred.ndim != 1 or pred.shape != target.shape or len(pred) == 0:
        raise ValueError(f"expected predicted and true classes (N,), found {tuple(pred.shape)}, {tuple(target.shape)}")
    both = torch.stack([pred, target])
    if both.min() < 0 or both.max() >= classes:
        raise ValueError(f"classes lie in 0 to {classes - 1}, found {int(both.min())} to {int(both.max())}")
    return torch.bincount(target * classes + pred, minlength=classes**2).reshape(classes, classes)


def war(pred: Tensor, target: Tensor) -> Tensor:
    """Weighted average recall, which is the accuracy over all samples: (N,), (N,) → scalar in [0, 1]."""
    counts = _table(pred, target)
    return counts.diagonal().sum() / counts.sum()


def uar(pred: Tensor, target: Tensor) -> Tensor:
    """Unweighted average recall: the mean over the classes that occur of the share recognised, scalar in [0, 1]."""
    counts = _table(pred, target)
    occurs = counts.sum(dim=1) > 0
    return (counts.diagonal()[occurs] / counts.sum(dim=1)[occurs]).mean()


def macro_f1(pred: Tensor, target: Tensor) -> Tensor:
    """Mean F1 over the classes that occur or are predicted: (N,), (N,) → scalar in [0, 1]."""
    counts = _table(pred, target)
    appears = counts.sum(dim=0) + counts.sum(dim=1) > 0
    return _f1(counts)[appears].mean()


def weighted_f1(pred: Tensor, target: Tensor) -> Tensor:
    """F1 of each class weighted with how often it occurs: (N,), (N,) → scalar in [0, 1]."""
    counts = _table(pred, target)
    return (_f1(counts) * counts.sum(dim=1)).sum() / counts.sum()


def _table(pred: Tensor, target: Tensor) -> Tensor:
    """The confusion in float64, with as many classes as the largest number met."""
    largest = max((int(side.max()) for side in (pred, target) if len(side)), default=0)
    return confusion(pred, target, largest + 1).double()


def _f1(counts: Tensor) -> Tensor:
    """(K, K) → (K,), 0 for a class that neither occurs nor is predicted."""
    return 2 * counts.diagonal() / (counts.sum(dim=0) + counts.sum(dim=1)).clamp(min=1)
