"""The recipe of temporal stochastic softmax: clips drawn where a video shows its class, videos pooled by softmax."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..classification import uar, war
from ..config import Count, OptimiserConfig
from ..data.class_folders import ClassVideo, drawn_videos, load_class_folders
from ..data.clip_weights import ClipWeights
from ..errors import DataError
from ..loop import Part, fit
from ..methods.au_guided import EXPRESSIONS
from ..models.video_classifier import VideoClassifier
from ..progress import Progress


class StochasticSoftmaxRecipe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="stochastic_softmax"
):
    """Everything that defines the run, but for the data's folder.

    data:       "folders" reads `train/` and `val/` below `--data`; "drawn" makes videos that show their class for a
                share `apex` of `drawn_frames` frames
    sampling:   "softmax", or "uniform": each start is as likely, in all epochs
    frames:     F. warm_up, exploration: epochs of the sampler's first two phases. beta: of sampler and pooling
    stages:     see `VideoClassifier`
    """

    name: str
    seed: int
    data: Literal["drawn", "folders"]
    classes: list[str]
    size: Count
    frames: Count
    stages: list[list[int]]
    optimiser: OptimiserConfig
    sampling: Literal["softmax", "uniform"] = "softmax"
    beta: float = 1.0
    warm_up: int = 3
    exploration: int = 5
    drawn: Count = 200
    drawn_frames: Count = 40
    apex: float = 0.25


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
        self.register_buffer("clip_weights", _flat(weights))

    def forward(self, videos: Tensor) -> tuple[Tensor, Tensor]:
        """As the network."""
        pooled = self.network(videos)
        return pooled.log_probs, pooled.clips


class ClipSamplingTask:
    """A `train.loop.Task`: one clip of each video in an epoch, from where the sampler says."""

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
        network = VideoClassifier(
            len(recipe.classes), size=recipe.size, stages=recipe.stages, frames=recipe.frames, beta=recipe.beta
        )
        self.model = SampledVideos(network, self._sampler)
        self._recipe = recipe
        self._train = train
        self._valid = valid

    def batch_count(self, part: Part) -> int:
        """Whole batches of one epoch for each process."""
        return max(1, len(self._train) // (self._recipe.optimiser.batch * part.world))

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[ClipBatch]:
        """Videos by seed and epoch; starts as the weights are when a batch is asked for."""
        _restore(self._sampler, self.model.get_buffer("clip_weights"))
        order = np.random.default_rng([self._recipe.seed, epoch]).permutation(len(self._train))
        size = self._recipe.optimiser.batch
        device = next(self.model.parameters()).device
        for number in range(first, self.batch_count(part)):
            at = (number * part.world + part.rank) * size
            videos = order[at : at + size].tolist()
            starts = [self._sampler.draw(video, epoch + 1) for video in videos]
            clips = [self._clip(video, start) for video, start in zip(videos, starts, strict=True)]
            labels = torch.tensor([self._train[video].label for video in videos])
            yield ClipBatch(torch.stack(clips).to(device), labels.to(device), videos, starts, epoch + 1)

    def losses(self, model: nn.Module, batch: ClipBatch) -> dict[str, Tensor]:
        """Negative log-likelihood; the score of the true class goes to the sampler."""
        log_probs, scores = model(batch.clips)
        own = scores.detach()[torch.arange(len(batch.labels)), batch.labels, 0]
        for video, start, score in zip(batch.videos, batch.starts, own.tolist(), strict=True):
            self._sampler.update(video, start, score, batch.epoch)
        self.model.get_buffer("clip_weights").copy_(_flat(self._sampler))
        return {"likelihood": F.nll_loss(log_probs, batch.labels)}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores of whole videos, one at a time."""
        assert isinstance(model, SampledVideos)
        return score(model.network, self._valid)

    def _clip(self, video: int, start: int) -> Tensor:
        """F frames; a short video ends in black ones."""
        frames = torch.from_numpy(self._train[video].frames[start : start + self._recipe.frames])
        return F.pad(frames, (0, 0, 0, 0, 0, self._recipe.frames - len(frames)))


def run(
    recipe: StochasticSoftmaxRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress
) -> dict[str, float]:
    """Train, or go on from the newest checkpoint; returns the scores of the validation part.

    Raises DataError if the data are missing or not as described.
    """
    train, valid = _load(recipe, root)
    model = fit(ClipSamplingTask(recipe, train, valid), recipe.optimiser, folder, fabric=fabric, progress=progress)
    assert isinstance(model, SampledVideos)
    return score(model.network, valid)


@torch.no_grad()
def score(network: VideoClassifier, videos: Sequence[ClassVideo]) -> dict[str, float]:
    """Accuracy, mean recall and negative log-likelihood of whole videos."""
    network.eval()
    device = next(network.parameters()).device
    found = [network(torch.from_numpy(video.frames)[None].to(device)).log_probs.cpu() for video in videos]
    log_probs, labels = torch.cat(found), torch.tensor([video.label for video in videos])
    guess = log_probs.argmax(dim=1)
    return {
        "accuracy": float(war(guess, labels)),
        "mean_recall": float(uar(guess, labels)),
        "likelihood": float(F.nll_loss(log_probs, labels)),
    }


def _load(recipe: StochasticSoftmaxRecipe, root: Path | None) -> tuple[list[ClassVideo], list[ClassVideo]]:
    if recipe.data == "drawn":
        if recipe.classes != list(EXPRESSIONS[:-1]):
            raise DataError(f"drawn videos have the classes {', '.join(EXPRESSIONS[:-1])}")
        return (
            drawn_videos(recipe.drawn, recipe.size, recipe.drawn_frames, apex=recipe.apex, seed=recipe.seed),
            drawn_videos(recipe.drawn, recipe.size, recipe.drawn_frames, apex=recipe.apex, seed=recipe.seed + 1),
        )
    if root is None:
        raise DataError(f"{recipe.name} needs --data: the folder that holds train/ and val/")
    return (
        load_class_folders(root, "train", recipe.classes, recipe.size),
        load_class_folders(root, "val", recipe.classes, recipe.size),
    )


def _flat(weights: ClipWeights) -> Tensor:
    """All weights of all videos, one after the other."""
    return torch.cat(list(weights.state_dict().values()))


def _restore(weights: ClipWeights, flat: Tensor) -> None:
    state = weights.state_dict()
    parts = torch.split(flat.cpu(), [len(part) for part in state.values()])
    weights.load_state_dict(dict(zip(state, parts, strict=True)))
