"""Training the scores of clips: one clip of each sequence in an epoch, drawn where the sequence shows its class."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamaffect.types import FloatArray

from ....data.sampling.clip_weights import ClipWeights
from ....data.stills import EMOTIONS
from ....loop.context import Context
from ....loop.device import device_of
from ....loop.fit import Part
from ....metrics.regression import bootstrap_interval
from ..pooling import FrameClassifier, pooling_weights, softmax_pool
from ..recipe import MomentsRecipe, Sampling
from .data import NEUTRAL, Sequences

LEAST_CHANGE = 0.3  # of the label's share between the clips of a stretch, for its moment to be somewhere


class Moments(nn.Module):
    """Clips (N, K, C) and which exist (N, K) bool, to how much each counts (N, K), the newest first; rows sum to 1.

    The weights of the pooling, averaged over the classes by their pooled probability: `evidence` of the method.
    """

    def __init__(self, scores: FrameClassifier, beta: float) -> None:
        super().__init__()
        self.scores = scores
        self.beta = beta

    def forward(self, context: Tensor, valid: Tensor) -> Tensor:
        """Weights of a clip that does not exist are 0; one of each row must exist."""
        found = self.scores(context.transpose(1, 2))  # (N, classes, K)
        weights = pooling_weights(found, beta=self.beta, valid=valid)
        classes = softmax_pool(found, found, beta=self.beta, valid=valid).softmax(dim=1)
        counted: Tensor = (weights * classes.unsqueeze(2)).sum(dim=1)
        return counted.flip(1)


class _Batch(NamedTuple):
    """clips (B, C), labels (B,), and of each clip the sequence's number and its place."""

    clips: Tensor
    labels: Tensor
    sequences: list[int]
    places: list[int]
    epoch: int


class SampledSequences(nn.Module):
    """The scores together with what the sampler has learned, so that a checkpoint holds both."""

    def __init__(self, scores: FrameClassifier, weights: ClipWeights) -> None:
        super().__init__()
        self.scores = scores
        self.register_buffer("clip_weights", weights.flat())

    def forward(self, clips: Tensor) -> Tensor:
        """(B, C) → (B, classes)."""
        scores: Tensor = self.scores(clips.unsqueeze(2))
        return scores.squeeze(2)


class MomentsTask:
    """A `train.loop.fit.Task`."""

    def __init__(self, recipe: MomentsRecipe, sampling: Sampling, train: Sequences, valid: Sequences) -> None:
        self._recipe, self._train, self._valid = recipe, train, valid
        count, context, width = train.clips.shape
        self._sampler = ClipWeights(
            [context] * count,
            frames=1,
            warm_up_epochs=recipe.optimiser.epochs if sampling == "uniform" else recipe.warm_up,
            exploration_epochs=recipe.exploration,
            beta=recipe.beta,
            seed=recipe.seed,
        )
        torch.manual_seed(recipe.seed)
        scores = FrameClassifier(width, len(EMOTIONS), hidden=recipe.hidden)
        self.model: nn.Module = SampledSequences(scores, self._sampler)

    def batch_count(self, part: Part) -> int:
        """Whole batches of one epoch for each process."""
        return max(1, len(self._train) // (self._recipe.optimiser.batch * part.world))

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[_Batch]:
        """Sequences by seed and epoch; places as the weights are when a batch is asked for."""
        self._sampler.load_flat(self.model.get_buffer("clip_weights"))
        order = np.random.default_rng([self._recipe.seed, epoch]).permutation(len(self._train))
        size = self._recipe.optimiser.batch
        for number in range(first, self.batch_count(part)):
            at = (number * part.world + part.rank) * size
            sequences = order[at : at + size].tolist()
            places = [self._sampler.draw(one, epoch + 1) for one in sequences]
            clips = torch.from_numpy(self._train.clips[sequences, places])
            yield _Batch(clips, torch.from_numpy(self._train.labels[sequences]), sequences, places, epoch + 1)

    def losses(self, model: nn.Module, batch: _Batch) -> dict[str, Tensor]:
        """Negative log-likelihood; the score of the true class goes to the sampler."""
        scores = model(batch.clips)
        own = scores.detach().gather(1, batch.labels[:, None])[:, 0]
        for sequence, place, score in zip(batch.sequences, batch.places, own.tolist(), strict=True):
            self._sampler.update(sequence, place, score, batch.epoch)
        self.model.get_buffer("clip_weights").copy_(self._sampler.flat())
        return {"likelihood": F.cross_entropy(scores, batch.labels)}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores of sequences that are not trained on."""
        assert isinstance(model, SampledSequences)
        return moment_figures(Moments(model.scores, self._recipe.beta).eval(), self._valid)


def fit_moments(
    recipe: MomentsRecipe, context: Context, sampling: Sampling, parts: tuple[Sequences, Sequences]
) -> Moments:
    """The averaged scores, trained or as they were trained before, in the pooling. parts: to train on, to validate."""
    model = context.fit(MomentsTask(recipe, sampling, *parts), recipe.optimiser, f"training-{sampling}")
    assert isinstance(model, SampledSequences)
    return Moments(model.scores, recipe.beta).eval()


@torch.no_grad()
def moment_figures(moments: Moments, sequences: Sequences) -> dict[str, float]:
    """`found_moments` of the pooling's weights."""
    return found_moments(weights_of(moments, sequences), sequences.shown, sequences.labels)


@torch.no_grad()
def hits_by_people(moments: Moments, sequences: Sequences) -> dict[str, float]:
    """Whose sequences have a moment, and a 95 % interval of the hits over those people; nothing where it is one."""
    rows = with_moment(sequences.shown, sequences.labels)
    people = sequences.owners[rows].tolist()
    if len(set(people)) < 2:
        return {}
    hits = torch.from_numpy(right_ones(weights_of(moments, sequences)[rows], sequences.shown[rows]))[:, None].float()
    found = bootstrap_interval(lambda one, _: one.mean(dim=0), hits, hits, people)
    ends = {"hits_low": float(found.low), "hits_high": float(found.high)}
    return {"people": len(set(people))} | {name: round(value, 4) for name, value in ends.items()}


def found_moments(weights: FloatArray, shown: FloatArray, labels: np.ndarray) -> dict[str, float]:
    """Whether the clip that counts most is the one that shows the label most, and how the two go together.

    Of sequences with a class other than neutral whose clips differ in it: share of hits, mean correlation with what is
    shown, weight of the heaviest; then how many there are. Chance is 1 / K.

    weights, shown: (V, K), as `Sequences.shown`. labels: (V,), numbers in EMOTIONS
    """
    rows = with_moment(shown, labels)
    if not len(rows):
        return {"hits": 0.0, "pearson": 0.0, "heaviest": 0.0, "sequences": 0}
    weights, shown = weights[rows].astype(np.float64), shown[rows].astype(np.float64)
    pearson = [np.corrcoef(one, other)[0, 1] for one, other in zip(weights, shown, strict=True)]
    return {
        "hits": round(float(right_ones(weights, shown).mean()), 4),
        "pearson": round(float(np.nanmean(pearson)), 4),
        "heaviest": round(float(weights.max(axis=1).mean()), 4),
        "sequences": len(rows),
    }


@torch.no_grad()
def weights_of(moments: Moments, sequences: Sequences) -> FloatArray:
    """How much each clip counts, (V, K), oldest first."""
    clips = torch.from_numpy(sequences.clips).to(device_of(moments))
    newest_first = moments(clips, torch.ones(clips.shape[:2], dtype=torch.bool, device=clips.device))
    return np.asarray(newest_first.flip(1).cpu().numpy(), np.float32)


def with_moment(shown: FloatArray, labels: np.ndarray) -> np.ndarray:
    """The rows that have a moment to find. shown, labels: as for `found_moments`."""
    return np.flatnonzero((labels != NEUTRAL) & (np.ptp(shown, axis=1) >= LEAST_CHANGE))


def right_ones(weights: FloatArray, shown: FloatArray) -> np.ndarray:
    """Whether the heaviest clip is one that shows most, (V,) bool."""
    chosen = shown[np.arange(len(shown)), weights.argmax(axis=1)]
    return np.asarray(chosen >= shown.max(axis=1) - 1e-6)
