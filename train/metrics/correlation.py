"""Agreement of two columns of numbers: Pearson's correlation and Lin's concordance coefficient.

Differentiable, computed per column over the rows with population moments (divisor N). Both coefficients carry the
small constant of the published relational-regression code in their denominators, so a constant column gives 0 and
a column compared with itself falls short of 1 by about `EPSILON` over its variance.
"""

import torch
from torch import Tensor

EPSILON = 1e-5


def pearson(pred: Tensor, target: Tensor) -> Tensor:
    """Pearson's correlation of each column: (N, L), (N, L) → (L,) in [-1, 1].

    `sum(a b) / (sqrt(sum(a²) sum(b²)) + EPSILON)` on centred columns a, b. Raises ValueError on unequal shapes.
    """
    check_columns(pred, target)
    products, norms = _centred_products(pred, target)
    return products / (norms + EPSILON)


def concordance(pred: Tensor, target: Tensor) -> Tensor:
    """Lin's concordance correlation of each column: (N, L), (N, L) → (L,) in [-1, 1].

    `2 r sd(a) sd(b) / (var(a) + var(b) + (mean(a) - mean(b))² + EPSILON)`, r as in `pearson`. Raises ValueError on
    unequal shapes.
    """
    check_columns(pred, target)
    products, norms = _centred_products(pred, target)
    covariance = products / (norms + EPSILON) * norms / len(pred)
    spread = pred.var(dim=0, correction=0) + target.var(dim=0, correction=0)
    shift = pred.mean(dim=0) - target.mean(dim=0)
    return 2 * covariance / (spread + shift.square() + EPSILON)


def check_columns(pred: Tensor, target: Tensor, *, least_rows: int = 1) -> None:
    """Raise ValueError unless both are (N, L) of one shape with at least `least_rows` rows."""
    if pred.ndim != 2 or pred.shape != target.shape:
        raise ValueError(
            f"predictions and targets must share one shape (N, L), found {tuple(pred.shape)} and {tuple(target.shape)}"
        )
    if len(pred) < least_rows:
        raise ValueError(f"needs at least {least_rows} rows, found {len(pred)}; use a larger batch")


def _centred_products(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of products of the centred columns, and the product of their norms, each (L,).

    The norm's gradient is infinite at 0; the clamp makes it 0 there and leaves every other value alone.
    """
    a = pred - pred.mean(dim=0)
    b = target - target.mean(dim=0)
    squared = a.square().sum(dim=0) * b.square().sum(dim=0)
    return (a * b).sum(dim=0), squared.clamp_min(torch.finfo(squared.dtype).tiny).sqrt()
