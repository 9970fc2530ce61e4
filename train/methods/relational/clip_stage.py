"""Stage 2: clip encoder, context attention and heads learn on features of the finished frame encoder.

Half of what it sees are clips of videos with their true context; the rest are stills as clips of equal frames. Context
is hidden at random, so that the first seconds of a stream and single pictures are as good as they can be.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...bundle.declared import AFFECT
from ...data.clips import ClipIndex
from ...loop.device import device_of
from ...loop.fit import Part
from ...losses import ccc_loss, relational_loss
from .model import AFFECT_SPREAD, EMOTION_HEAD, AffectModel
from .recipe import LossConfig

CLIPS_AT_ONCE = 4096  # all clips of a corpus together would take gigabytes
FULL_CONTEXT = 0.4  # share of the training clips that keep all the context they have
FEATURE_NOISE = 0.05  # of the standard deviation: camera noise between the frames of a clip


@dataclass(frozen=True, slots=True)
class CachedClips:
    """Labelled clips over cached features.

    views:    versions of the same N features (N, D), one augmentation each
    index:    M clips over the N frames; M = N
    emotions: (M, 8) and affect (M, 2) float32, of the last frame of each clip
    weights:  (M,) how likely each clip is drawn
    """

    views: list[Tensor]
    index: ClipIndex
    emotions: Tensor
    affect: Tensor
    weights: np.ndarray


class ClipBatch(NamedTuple):
    """features (M, T, D): the clips that occur; context (B, K) rows of them; valid (B, K); labels of the query clip."""

    features: Tensor
    context: Tensor
    valid: Tensor
    emotions: Tensor
    affect: Tensor


class ClipTask:
    """Stage 2 for the loop.

    sets:      what is trained on; shares: of each batch, one per set
    batch:     clips of a batch; batches_per_epoch: their number
    held_out:  scores of the averaged model after each epoch
    """

    def __init__(
        self,
        model: AffectModel,
        sets: list[CachedClips],
        shares: list[float],
        loss: LossConfig,
        held_out: Callable[[AffectModel], dict[str, float]],
        *,
        batch: int,
        batches_per_epoch: int,
        seed: int,
    ) -> None:
        self.model = model
        self._sets = sets
        self._counts = [round(share * batch) for share in shares]
        self._loss = loss
        self._held_out = held_out
        self._batches_per_epoch = batches_per_epoch
        self._seed = seed

    def batch_count(self, part: Part) -> int:
        """Batches of one epoch for each process."""
        return max(1, self._batches_per_epoch // part.world)

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[ClipBatch]:
        """Random batches, each drawn from its own seed."""
        for number in range(first, self.batch_count(part)):
            generator = np.random.default_rng([self._seed, epoch, number, part.rank])
            drawn = zip(self._sets, self._counts, strict=True)
            yield _merge([_draw(clips, count, self.model.past, generator) for clips, count in drawn if count])

    def losses(self, model: nn.Module, batch: ClipBatch) -> dict[str, Tensor]:
        """Concordance and squared error, cross-entropy, likelihood of the error's size, and the relational loss."""
        weight = self._loss
        query, heads = model(batch.features, batch.context, batch.valid)
        errors = (heads[AFFECT].detach() - batch.affect).abs()
        spread = heads[AFFECT_SPREAD]
        return {
            "cross_entropy": weight.cross_entropy * F.cross_entropy(heads[EMOTION_HEAD], batch.emotions),
            "ccc": weight.ccc * ccc_loss(heads[AFFECT], batch.affect),
            "mse": weight.mse * F.mse_loss(heads[AFFECT], batch.affect),
            "relational": weight.relational * relational_loss(query, batch.affect, centre_labels=True),
            "spread": weight.spread * (errors / spread + spread.log()).mean(),  # Laplace, up to a constant
        }

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores on held-out stills and clips."""
        assert isinstance(model, AffectModel)
        return self._held_out(model)


@torch.inference_mode()
def clip_vectors(model: AffectModel, features: Tensor, index: ClipIndex) -> Tensor:
    """features (N, D) → the vectors (M, C) of the clips of the index, on the model's device."""
    model.eval()
    device = device_of(model)
    parts = torch.split(torch.from_numpy(index.samples), CLIPS_AT_ONCE)
    return torch.cat([model.clip_encoder(features[part].to(device)) for part in parts])


@torch.inference_mode()
def predict_clips(model: AffectModel, features: Tensor, index: ClipIndex) -> dict[str, Tensor]:
    """features (N, D) → the answer (M, L) of each head, in the order of the index."""
    clips, device = clip_vectors(model, features, index), device_of(model)
    context, valid = torch.from_numpy(index.context).to(device), torch.from_numpy(index.valid).to(device)
    return {name: rows.cpu() for name, rows in model.answers(clips, clips[context], valid).items()}


def _draw(clips: CachedClips, count: int, past: int, generator: np.random.Generator) -> ClipBatch:
    rows = generator.choice(len(clips.index), count, p=clips.weights / clips.weights.sum())
    different, context = np.unique(clips.index.context[rows], return_inverse=True)
    frames = clips.index.samples[different]  # (M, T)
    features = clips.views[int(generator.integers(len(clips.views)))][torch.from_numpy(frames)]
    noise = generator.standard_normal(features.shape, np.float32)
    valid = _hide_context(clips.index.valid[rows], past, generator)
    return ClipBatch(
        features + FEATURE_NOISE * torch.from_numpy(noise),
        torch.from_numpy(context.reshape(count, -1)),
        torch.from_numpy(valid),
        clips.emotions[torch.from_numpy(rows)],
        clips.affect[torch.from_numpy(rows)],
    )


def _hide_context(valid: np.ndarray, past: int, generator: np.random.Generator) -> np.ndarray:
    """Cut off the older part of most contexts, as at the start of a stream; the query stays.

    For stills, whose context is the query itself, some rows get more valid clips instead: a face at rest.
    """
    count, clips = valid.shape
    place = np.arange(clips)
    oldest = np.where(generator.random(count) < FULL_CONTEXT, 0, generator.integers(0, past + 1, count))
    is_still = valid.sum(axis=1) == 1
    out = np.where(is_still[:, None], place >= oldest[:, None], valid & (place >= oldest[:, None]))
    out[:, past] = True
    return np.asarray(out)


def _merge(parts: list[ClipBatch]) -> ClipBatch:
    starts = np.cumsum([0, *(len(part.features) for part in parts)])[:-1].tolist()
    return ClipBatch(
        torch.cat([part.features for part in parts]),
        torch.cat([part.context + start for part, start in zip(parts, starts, strict=True)]),
        torch.cat([part.valid for part in parts]),
        torch.cat([part.emotions for part in parts]),
        torch.cat([part.affect for part in parts]),
    )
