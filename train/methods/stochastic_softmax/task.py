"""Clips drawn where a video shows its class, as a task for the loop."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamaffect.types import ImageArray

from ...data.augment import apply_view, draw_view
from ...data.sampling.clip_weights import ClipWeights
from ...data.sets.class_folders import ClassVideo
from ...loop.device import device_of
from ...loop.fit import Part
from ...metrics.classification import uar, war
from .model import VideoClassifier, make_network
from .recipe import StochasticSoftmaxRecipe

LONGEST_VIDEO = 999  # frames that are scored at once, as published; of longer videos the middle


class ClipBatch(NamedTuple):
    """clips (B, F, S, S) uint8, labels (B,), and of each clip the video's number and its start."""

    clips: Tensor
    labels: Tensor
    videos: list[int]
    starts: list[int]
    epoch: int


class SampledVideos(nn.Module):
    """The network together with what the sampler has learned, so that a checkpoint holds both."""

    def __init__(self, network: VideoClassifier, weights: ClipWeights) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("clip_weights", weights.flat())

    def forward(self, videos: Tensor) -> tuple[Tensor, Tensor]:
        """As the network."""
        pooled = self.network(videos)
        return pooled.log_probs, pooled.clips


class ClipSamplingTask:
    """A `train.loop.fit.Task`: one clip of each video in an epoch, from where the sampler says."""

    def __init__(
        self, recipe: StochasticSoftmaxRecipe, train: Sequence[ClassVideo], valid: Sequence[ClassVideo]
    ) -> None:
        endless = recipe.sampling == "uniform"
        self._sampler = ClipWeights(
            [len(video.frames) for video in train],
            frames=recipe.frames,
            warm_up_epochs=recipe.optimiser.epochs if endless else recipe.warm_up,
            exploration_epochs=recipe.exploration,
            beta=recipe.beta,
            seed=recipe.seed,
        )
        torch.manual_seed(recipe.seed)
        self.model = SampledVideos(make_network(recipe), self._sampler)
        self._recipe = recipe
        self._train = train
        self._valid = valid

    def batch_count(self, part: Part) -> int:
        """Whole batches of one epoch for each process."""
        return max(1, len(self._train) // (self._recipe.optimiser.batch * part.world))

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[ClipBatch]:
        """Videos by seed and epoch; starts as the weights are when a batch is asked for."""
        self._sampler.load_flat(self.model.get_buffer("clip_weights"))
        order = np.random.default_rng([self._recipe.seed, epoch]).permutation(len(self._train))
        size = self._recipe.optimiser.batch
        device = device_of(self.model)
        for number in range(first, self.batch_count(part)):
            at = (number * part.world + part.rank) * size
            videos = order[at : at + size].tolist()
            starts = [self._sampler.draw(video, epoch + 1) for video in videos]
            clips = [self._clip(video, start, epoch) for video, start in zip(videos, starts, strict=True)]
            labels = torch.tensor([self._train[video].label for video in videos])
            yield ClipBatch(torch.stack(clips).to(device), labels.to(device), videos, starts, epoch + 1)

    def losses(self, model: nn.Module, batch: ClipBatch) -> dict[str, Tensor]:
        """Negative log-likelihood; the score of the true class goes to the sampler."""
        log_probs, scores = model(batch.clips)
        own = scores.detach()[torch.arange(len(batch.labels)), batch.labels, 0]
        for video, start, score in zip(batch.videos, batch.starts, own.tolist(), strict=True):
            self._sampler.update(video, start, score, batch.epoch)
        self.model.get_buffer("clip_weights").copy_(self._sampler.flat())
        return {"likelihood": F.nll_loss(log_probs, batch.labels)}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores of whole videos, one at a time."""
        assert isinstance(model, SampledVideos)
        return score(model.network, self._valid)

    def _clip(self, video: int, start: int, epoch: int) -> Tensor:
        """F frames, changed by seed, video and epoch alone; a short video ends in black ones."""
        pictures = self._train[video].frames[start : start + self._recipe.frames]
        if self._recipe.augment is not None:
            generator = np.random.default_rng([self._recipe.seed, epoch, video])
            view = draw_view(self._recipe.augment, generator, shown=1.0)
            pictures = np.stack([apply_view(picture, view, self._recipe.size, generator) for picture in pictures])
        frames = torch.from_numpy(pictures)
        return F.pad(frames, (0, 0, 0, 0, 0, self._recipe.frames - len(frames)))


@torch.no_grad()
def score(network: VideoClassifier, videos: Sequence[ClassVideo]) -> dict[str, float]:
    """Accuracy, mean recall and negative log-likelihood of whole videos."""
    network.eval()
    device = device_of(network)
    found = [network(torch.from_numpy(_middle(video.frames))[None].to(device)).log_probs.cpu() for video in videos]
    log_probs, labels = torch.cat(found), torch.tensor([video.label for video in videos])
    guess = log_probs.argmax(dim=1)
    return {
        "accuracy": float(war(guess, labels)),
        "mean_recall": float(uar(guess, labels)),
        "likelihood": float(F.nll_loss(log_probs, labels)),
    }


def _middle(frames: ImageArray) -> ImageArray:
    first = max(0, len(frames) - LONGEST_VIDEO) // 2
    return frames[first : first + LONGEST_VIDEO]
