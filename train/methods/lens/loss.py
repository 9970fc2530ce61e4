"""The loss of a lens: how far values are from their targets, agreement, and the size of the errors."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...metrics.correlation import concordance
from .recipe import LossConfig


@dataclass(frozen=True, slots=True)
class Scales:
    """What is known of the targets (L,): their variance in training, and how much each counts, 1 on average."""

    variance: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> "Scales":
        """The same, where the model is."""
        return Scales(self.variance.to(device), self.weights.to(device))


def lens_losses(
    logits: Tensor, spread: Tensor, targets: Tensor, scales: Scales, config: LossConfig
) -> dict[str, Tensor]:  # fmt: skip
    """The weighted parts, scalars. logits, spread, targets: (B, L).

    The cross-entropy of soft targets is least at their conditional mean, as squared errors are, but does not fade where
    a value near 0 should have been near 1. A quarter of it over the variance is at most as steep as squared errors.
    """
    values = logits.sigmoid()
    errors = (values - targets).abs().detach()
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") / (4 * scales.variance)
    return {
        "entropy": (entropy * scales.weights).mean(),
        "ccc": config.ccc * ((1 - concordance(values, targets)) * scales.weights).mean(),
        "spread": config.spread * (errors / spread + torch.log(spread)).mean(),  # Laplace, up to a constant
    }
