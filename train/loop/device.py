"""Where a model is: on a graphics card, or in ordinary memory, where all data sets are."""

import torch
from torch import nn


def device_of(model: nn.Module) -> torch.device:
    """Where a model's weights are."""
    return next(model.parameters()).device
