"""The numbers of prosody as the feature of a step: standardised, kept within what was seen, of a length that counts.

A fusion that sets all vectors to one length would take a calm voice for a shouting one that differs in the same
direction. A constant beside the numbers keeps how far from the usual a voice is.
"""

import torch
from torch import Tensor, nn

REACH = 3.0  # deviations: what lies beyond is of another channel
CONSTANT = 4.0  # about the length of 17 numbers of deviation 1
LEAST_DEVIATION = 1e-4


class ProsodyScale(nn.Module):
    """prosody (N, F) → features (N, F + 1).

    train: (M, F) what is trained on, whose mean and deviation become part of the model
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, train: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", train.mean(dim=0))
        self.register_buffer("deviation", train.std(dim=0).clamp_min(LEAST_DEVIATION))

    def forward(self, prosody: Tensor) -> Tensor:
        """Of any leading axes."""
        standard = ((prosody - self.mean) / self.deviation).clamp(-REACH, REACH)
        return torch.cat([standard, torch.full_like(standard[..., :1], CONSTANT)], dim=-1)
