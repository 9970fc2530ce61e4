"""A backbone for spectrograms, trained by itself before what is built on it: as published, then frozen.

Waligora et al., CVPR Workshops 2024: under a head of two layers with dropout, which is thrown away. Aslam et al., FG
2024, train their physiology backbone likewise.
"""

from collections.abc import Callable

import msgspec
import torch
from torch import Tensor, nn

from ..config import Count, OptimiserConfig, Share
from ..loop.context import Context
from ..loop.tensor_task import Batch, TensorTask
from .spectrogram_encoder import SpectrogramEncoder

ROWS = 512  # encoded at a time
STAGE = "training/hearing"

Loss = Callable[[Tensor, Tensor], dict[str, Tensor]]


class HearingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """dim: of a feature. widths, depths: see `SpectrogramEncoder`. dropout: in the head."""

    optimiser: OptimiserConfig
    dim: Count = 64
    widths: tuple[int, ...] = (16, 32, 64)
    depths: tuple[int, ...] = (1, 1, 1)
    dropout: Share = 0.15


class HeadedEncoder(nn.Module):
    """spectrograms (B, rows, t) → outputs (B, L)."""

    def __init__(self, encoder: SpectrogramEncoder, outputs: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        hidden = max(1, encoder.dim // 4)
        self.head = nn.Sequential(
            nn.Linear(encoder.dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs)
        )

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Encode and predict."""
        out: Tensor = self.head(self.encoder(spectrograms))
        return out


def train_hearing(
    config: HearingConfig,
    train: tuple[Tensor, Tensor],
    valid: tuple[Tensor, Tensor],
    loss: Loss,
    context: Context,
    *,
    outputs: int,
) -> SpectrogramEncoder:
    """The averaged backbone without its head, in evaluation mode; a stage of the run.

    train, valid: spectrograms (M, rows, t), and labels (M, …) as `loss` takes them beside predictions (B, L)
    outputs:      L
    """
    torch.manual_seed(context.seed)
    encoder = SpectrogramEncoder(train[0].shape[1], config.dim, widths=config.widths, depths=config.depths)

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        spectrograms, labels = batch
        return loss(module(spectrograms), labels)

    def validate(module: nn.Module) -> dict[str, float]:
        spectrograms, labels = valid
        pred = torch.cat([module(part) for part in torch.split(spectrograms, ROWS)])
        return {name: float(value) for name, value in loss(pred, labels).items()}

    model = HeadedEncoder(encoder, outputs, config.dropout)
    task = TensorTask(model, train, losses, validate, batch=config.optimiser.batch, seed=context.seed)
    trained = context.fit(task, config.optimiser, STAGE)
    assert isinstance(trained, HeadedEncoder)
    return trained.encoder.eval()


@torch.no_grad()
def listen(encoder: nn.Module, sounds: Tensor) -> Tensor:
    """Features of all, be they spectrograms or what the encoder takes instead: (M, rows, t) → (M, D)."""
    return torch.cat([encoder(part) for part in torch.split(sounds, ROWS)])
