"""The concordance loss: one minus Lin's coefficient.

The main term of Foteinopoulou & Patras 2022 for valence and arousal; `relational_loss` is added to it.
"""

from torch import Tensor

from ..metrics.correlation import check_columns, concordance


def ccc_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Mean over the L columns of 1 - CCC over the batch: (B, L), (B, L) → scalar in [0, 2].

    Gradients are finite everywhere, at constant predictions too. A batch of one row has no correlation and raises
    ValueError, as do unequal shapes.
    """
    check_columns(pred, target, least_rows=2)
    return (1 - concordance(pred, target)).mean()
