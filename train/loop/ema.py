"""An exponential moving average of a model's weights: what is validated and exported."""

from copy import deepcopy

import torch
from torch import nn


class MovingAverage:
    """Follows `model` with a slowly changing copy. Early on the decay is smaller, so that the start is forgotten."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = deepcopy(model).eval().requires_grad_(requires_grad=False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after optimiser step number `step`, counted from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for mean, parameter in zip(self.model.parameters(), model.parameters(), strict=True):
            if mean is not parameter:  # a copy may share what is frozen
                mean.lerp_(parameter, 1 - decay)
        for copy, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            copy.copy_(buffer)


@torch.no_grad()
def average_into(model: nn.Module, other: nn.Module, share: float) -> None:
    """Move every number of `model`, those of its normalisations too, by `share` of the way to `other`."""
    theirs = other.state_dict()
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(theirs[name], share)
