"""The concordance loss of the joint multimodal transformer: one minus the coefficient with unbiased deviations.

Waligora et al., CVPR Workshops 2024. One output at a time, over all values of a batch together; a recipe adds up the
losses of valence and arousal. `losses.ccc_loss` is the same idea with population moments, per column.
"""

import torch
from torch import Tensor

from ...audiovisual.steps import INVALID_LABEL

EPSILON = 1e-8


def jmt_ccc_loss(pred: Tensor, target: Tensor, *, reference: bool = False) -> Tensor:
    """1 - CCC over all values: two tensors of one shape → scalar in [0, 2].

    `2 r sd(a) sd(b) / (var(a) + var(b) + (mean(a) - mean(b))²)`, deviations with divisor N - 1, `EPSILON` added to the
    denominator of r.

    reference: count the values labelled `INVALID_LABEL` too, as the authors' code does. By default they are left out.

    Raises ValueError on unequal shapes or fewer than two valid values.
    """
    if pred.shape != target.shape:
        raise ValueError(f"predictions and targets differ in shape: {tuple(pred.shape)} and {tuple(target.shape)}")
    valid = torch.ones_like(target, dtype=torch.bool) if reference else target != INVALID_LABEL
    a, b = pred[valid], target[valid]
    if len(a) < 2:
        raise ValueError(f"the concordance needs at least 2 labelled values, found {len(a)}; use a larger batch")
    centred_a, centred_b = a - a.mean(), b - b.mean()
    norms: Tensor = centred_a.norm() * centred_b.norm()
    correlation = (centred_a * centred_b).sum() / (norms + EPSILON)
    spread = a.var() + b.var() + (a.mean() - b.mean()).square()
    # Two equal constants have neither spread nor shift; anything above 0 makes their coefficient 0.
    return 1 - 2 * correlation * a.std() * b.std() / spread.clamp_min(torch.finfo(spread.dtype).tiny)
