"""The recipe of temporal stochastic softmax: clips drawn where a video shows its class, videos pooled by softmax."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from streamaffect.types import ImageArray

from ..classification import uar, war
from ..config import Count, OptimiserConfig, Positive, Share
from ..data.augment import AugmentConfig, apply_view, draw_view
from ..data.class_folders import ClassVideo, drawn_videos, hold_out, load_class_folders
from ..data.clip_weights import ClipWeights
from ..errors import DataError
from ..loop import Part, fit
from ..methods.au_guided import EXPRESSIONS
from ..models.inflation import Inflation, TimePadding
from ..models.video_classifier import (
    PIXEL_MEAN,
    PIXEL_STD,
    VideoClassifier,
    load_picture_weights,
    picture_network,
)
from ..progress import Progress
from .stochastic_softmax_bundle import export_stochastic_softmax

LONGEST_VIDEO = 999  # frames that are scored at once, as published; of longer videos the middle


class StochasticSoftmaxRecipe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="stochastic_softmax"
):
    """Everything that defines the run, but for the data's folder.

    data:         "folders" reads `train/` and `val/` below `--data`; "drawn" makes videos that show their class for a
                  share `apex` of `drawn_frames` frames
    valid_share:  of each class's training videos, scored after every epoch; the report is of `val/` either way.
                  With 0 `val/` is scored after every epoch too
    sampling:     "softmax", or "uniform": each start is as likely, in all epochs
    frames:       F. warm_up, exploration: epochs of the sampler's first two phases. beta: of sampler and pooling
    stages, inflation, time_padding, inflate_from, pixel_mean, pixel_std: see `VideoClassifier`
    start_from:   safetensors of a 2D network with these stages, which is inflated; see `load_picture_weights`
    augment:      one change for all frames of a clip; without it there is none
    licence, period_s, past, margin: of the bundle: of its weights, seconds from frame to frame, clips that are pooled
                  before the newest one, and the margin of its crops
    """

    name: str
    licence: str
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
    valid_share: Share = 0.0
    inflation: Inflation = "average"
    time_padding: TimePadding = "zeros"
    inflate_from: int = 0
    start_from: str = ""
    pixel_mean: float = PIXEL_MEAN
    pixel_std: Positive = PIXEL_STD
    augment: AugmentConfig | None = None
    period_s: Positive = 0.04
    past: Count = 4
    margin: float = 0.1
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
        self.model = SampledVideos(make_network(recipe), self._sampler)
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
            clips = [self._clip(video, start, epoch) for video, start in zip(videos, starts, strict=True)]
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

    def _clip(self, video: int, start: int, epoch: int) -> Tensor:
        """F frames, changed by seed, video and epoch alone; a short video ends in black ones."""
        pictures = self._train[video].frames[start : start + self._recipe.frames]
        if self._recipe.augment is not None:
            generator = np.random.default_rng([self._recipe.seed, epoch, video])
            view = draw_view(self._recipe.augment, generator, shown=1.0)
            pictures = np.stack([apply_view(picture, view, self._recipe.size, generator) for picture in pictures])
        frames = torch.from_numpy(pictures)
        return F.pad(frames, (0, 0, 0, 0, 0, self._recipe.frames - len(frames)))


def run(
    recipe: StochasticSoftmaxRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress
) -> dict[str, float]:
    """Train, or go on from the newest checkpoint; returns the scores of the videos of `val/`.

    The bundle is written beside `folder`.

    Raises DataError if the data are missing or not as described, TrainingError if the bundle cannot be written.
    """
    train, test = _load(recipe, root)
    train, valid = hold_out(train, recipe.valid_share, recipe.seed) if recipe.valid_share > 0 else (train, test)
    network = train_classifier(recipe, train, valid, folder, fabric=fabric, progress=progress)
    scores = score(network, test)
    export_stochastic_softmax(network, recipe, scores, folder.with_name("bundle"))
    return scores


def train_classifier(
    recipe: StochasticSoftmaxRecipe,
    train: Sequence[ClassVideo],
    valid: Sequence[ClassVideo],
    folder: Path,
    *,
    fabric: Fabric,
    progress: Progress,
) -> VideoClassifier:
    """The averaged network after all epochs."""
    model = fit(ClipSamplingTask(recipe, train, valid), recipe.optimiser, folder, fabric=fabric, progress=progress)
    assert isinstance(model, SampledVideos)
    return model.network


def make_network(recipe: StochasticSoftmaxRecipe) -> VideoClassifier:
    """The network of the recipe before training: inflated 2D weights, or random ones.

    Raises DataError if `start_from` cannot be read or belongs to another network, or `inflate_from` to no stage.
    """
    try:
        pictures = picture_network(recipe.stages)
        if recipe.start_from:
            load_picture_weights(pictures, load_file(recipe.start_from))
        return VideoClassifier(
            len(recipe.classes), size=recipe.size, stages=recipe.stages, frames=recipe.frames, beta=recipe.beta,
            inflation=recipe.inflation, time_padding=recipe.time_padding, inflate_from=recipe.inflate_from,
            pictures=pictures, pixel_mean=recipe.pixel_mean, pixel_std=recipe.pixel_std,
        )  # fmt: skip
    except (OSError, SafetensorError) as error:
        raise DataError(f"{recipe.start_from}: cannot be read ({error}); start_from takes safetensors, see "
                        "python -m train convert") from error  # fmt: skip
    except ValueError as error:
        raise DataError(f"{recipe.start_from or recipe.name}: {error}") from error


@torch.no_grad()
def score(network: VideoClassifier, videos: Sequence[ClassVideo]) -> dict[str, float]:
    """Accuracy, mean recall and negative log-likelihood of whole videos."""
    network.eval()
    device = next(network.parameters()).device
    found = [network(torch.from_numpy(_middle(video.frames))[None].to(device)).log_probs.cpu() for video in videos]
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


def _middle(frames: ImageArray) -> ImageArray:
    first = max(0, len(frames) - LONGEST_VIDEO) // 2
    return frames[first : first + LONGEST_VIDEO]


def _flat(weights: ClipWeights) -> Tensor:
    """All weights of all videos, one after the other."""
    return torch.cat(list(weights.state_dict().values()))


def _restore(weights: ClipWeights, flat: Tensor) -> None:
    state = weights.state_dict()
    parts = torch.split(flat.cpu(), [len(part) for part in state.values()])
    weights.load_state_dict(dict(zip(state, parts, strict=True)))
