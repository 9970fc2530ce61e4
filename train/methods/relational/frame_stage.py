"""Stage 1: the frame encoder learns soft emotions, valence and arousal from single pictures."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamaffect.errors import ConfigError

from ...data.augment import apply_view, draw_view, place, plain
from ...data.guidance import GUIDES
from ...data.stills import EMOTIONS, Stills, epoch_order
from ...loop.checkpoint import load_newest
from ...loop.device import device_of
from ...loop.fit import Part
from ...losses import ccc_loss
from .data.corpus import HeldOut
from .encoders import encode_pictures, make_encoder
from .recipe import FrameConfig
from .scores import score_stills

FRAMES = "frame"  # folder of a run
LEAST_STD = 1e-3  # of a guide; below it the guide is constant
AHEAD = 3  # batches that are augmented before they are needed


class FrameModel(nn.Module):
    """The encoder with the linear heads that it is trained through; export takes the encoder alone."""

    def __init__(self, config: FrameConfig) -> None:
        super().__init__()
        self.encoder = make_encoder(config)
        self.dropout = nn.Dropout(config.dropout)
        self.emotions = nn.Linear(config.dim, len(EMOTIONS))
        self.affect = nn.Linear(config.dim, 2)
        self.guidance = nn.Linear(config.dim, GUIDES) if config.loss.guidance > 0 else None

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Emotion logits (N, 8), affect (N, 2), guidance (N, GUIDES) or None, all float32.

        pictures: (N, S, S) grey or (N, S, S, 3) RGB uint8
        """
        features = self.dropout(encode_pictures(self.encoder, pictures))
        guidance = None if self.guidance is None else self.guidance(features).float()
        return self.emotions(features).float(), self.affect(features).float(), guidance


class StillBatch(NamedTuple):
    """pictures (N, S, S) or (N, S, S, 3) uint8; emotions (N, 8), affect (N, 2).

    guidance: (N, GUIDES) or (N, 0), NaN where unknown
    """

    pictures: Tensor
    emotions: Tensor
    affect: Tensor
    guidance: Tensor


class FrameTask:
    """Stage 1 for the loop.

    stills:  what is trained on; weights: (N,) how often each picture comes in an epoch on average
    held_out: what the averaged model is scored on after each epoch

    Raises ConfigError where the recipe asks for guidance and the data have none.
    """

    def __init__(
        self, config: FrameConfig, stills: Stills, weights: np.ndarray, held_out: HeldOut, *, size: int, seed: int
    ) -> None:
        self.model = FrameModel(config)
        self._config = config
        self.stills = stills
        self._weights = weights
        self._held_out = held_out
        self._size = size
        self._seed = seed
        self._guidance = _standardised(stills)
        if config.loss.guidance > 0 and stills.guidance is None:
            raise ConfigError("frame.loss.guidance: these data carry no labels of a teacher; set it to 0")

    def batch_count(self, part: Part) -> int:
        """Whole batches of one epoch for each process."""
        return max(1, round(float(self._weights.sum())) // (self._config.optimiser.batch * part.world))

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[StillBatch]:
        """Augmented batches, made ahead of time by a second thread: OpenCV works outside Python's lock."""
        order = epoch_order(self._weights, seed=self._seed, epoch=epoch)
        numbers = [number * part.world + part.rank for number in range(first, self.batch_count(part))]
        with ThreadPoolExecutor(1) as pool:
            waiting = deque(pool.submit(self._make, order, epoch, number) for number in numbers[:AHEAD])
            later = iter(numbers[AHEAD:])
            while waiting:
                batch = waiting.popleft().result()
                waiting.extend(pool.submit(self._make, order, epoch, number) for number in islice(later, 1))
                yield batch

    def losses(self, model: nn.Module, batch: StillBatch) -> dict[str, Tensor]:
        """Cross-entropy to soft emotions, concordance and squared error of valence and arousal, and the guidance."""
        weight = self._config.loss
        logits, affect, guidance = model(batch.pictures)
        losses = {
            "cross_entropy": weight.cross_entropy * F.cross_entropy(logits, batch.emotions),
            "ccc": weight.ccc * ccc_loss(affect, batch.affect),
            "mse": weight.mse * F.mse_loss(affect, batch.affect),
        }
        if guidance is not None:
            losses["guidance"] = weight.guidance * _known_mse(guidance, batch.guidance)
        return losses

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores of mirror-averaged predictions on plain crops."""
        emotions, affect = predict_stills(model, self._held_out.stills, self._size)
        return score_stills(self._held_out, emotions, affect)

    def _make(self, order: np.ndarray, epoch: int, number: int) -> StillBatch:
        size = self._config.optimiser.batch
        places = range(number * size, (number + 1) * size)
        rows = order[number * size : (number + 1) * size]
        pictures = np.stack([self._augmented(row, epoch, at) for row, at in zip(rows, places, strict=True)])
        return StillBatch(
            torch.from_numpy(pictures),
            torch.from_numpy(self.stills.emotions[rows]),
            torch.from_numpy(self.stills.affect[rows]),
            torch.from_numpy(self._guidance[rows]),
        )

    def _augmented(self, row: int, epoch: int, at: int) -> np.ndarray:
        generator = np.random.default_rng([self._seed, epoch, at])
        view = draw_view(self._config.augment, generator, shown=float(self.stills.shown[row]))
        return apply_view(self.stills.pictures[row], view, self._size, generator)


@torch.inference_mode()
def predict_stills(model: nn.Module, stills: Stills, size: int, *, batch: int = 256) -> tuple[Tensor, Tensor]:
    """Emotion shares (N, 8) and affect (N, 2) of plain crops, each averaged with its mirror image's."""
    model.eval()
    emotions, affect = [], []
    for first in range(0, len(stills), batch):
        rows = range(first, min(first + batch, len(stills)))
        shares, values = [], []
        for mirrored in (False, True):
            crops = torch.from_numpy(plain_crops(stills, rows, size, mirrored=mirrored))
            logits, value, _ = model(crops.to(device_of(model)))
            shares.append(logits.softmax(dim=1).cpu())
            values.append(value.cpu())
        emotions.append(torch.stack(shares).mean(dim=0))
        affect.append(torch.stack(values).mean(dim=0))
    return torch.cat(emotions), torch.cat(affect)


def _standardised(stills: Stills) -> np.ndarray:
    """(N, GUIDES) guidance with mean 0 and standard deviation 1 in each column; (N, 0) where there is none."""
    if stills.guidance is None:
        return np.zeros((len(stills), 0), np.float32)
    mean, std = np.nanmean(stills.guidance, axis=0), np.nanstd(stills.guidance, axis=0)
    return np.asarray((stills.guidance - mean) / np.maximum(std, LEAST_STD), np.float32)


def _known_mse(pred: Tensor, truth: Tensor) -> Tensor:
    """The mean squared difference where `truth` is known; both (N, G)."""
    known = torch.isfinite(truth)
    squared = (pred - truth.nan_to_num()).square() * known
    total: Tensor = squared.sum() / known.sum().clamp(min=1)
    return total


def load_trained(model: FrameModel, run: Path) -> None:
    """Fill `model` with what stage 1 of another run has learned. Raises TrainingError where that has no checkpoint."""
    load_newest(run / FRAMES, model)


def plain_crops(stills: Stills, rows: range, size: int, *, mirrored: bool) -> np.ndarray:
    """(N, size, size), or with 3 at the end, uint8: the pictures as the runtime would cut them."""
    return np.stack(
        [place(stills.pictures[row], plain(float(stills.shown[row]), mirrored=mirrored), size) for row in rows]
    )
