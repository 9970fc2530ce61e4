"""The loss of a lens: squared errors in units of each target's variance, agreement, and the size of the errors."""

import torch
from torch import Tensor

from ...losses.ccc import ccc_loss
from .recipe import LossConfig


def lens_losses(
    values: Tensor, spread: Tensor, targets: Tensor, variance: Tensor, config: LossConfig
) -> dict[str, Tensor]:
    """The weighted parts, scalars. values, spread, targets: (B, L); variance: (L,) of the targets in training."""
    errors = (values - targets).abs().detach()
    return {
        "squared": ((values - targets).square() / variance).mean(),
        "ccc": config.ccc * ccc_loss(values, targets),
        "spread": config.spread * (errors / spread + torch.log(spread)).mean(),  # Laplace, up to a constant
    }
