"""The recipe of temporal stochastic softmax: clips drawn where a video shows its class, videos pooled by softmax."""

from collections.abc import Sequence
from pathlib import Path

from lightning_fabric import Fabric

from ...data.sets.class_folders import ClassVideo, hold_out
from ...loop.fit import fit
from ...loop.progress import Progress
from .bundle import export_stochastic_softmax
from .data import load_videos
from .model import VideoClassifier
from .recipe import StochasticSoftmaxRecipe
from .task import ClipSamplingTask, SampledVideos, score


def run(
    recipe: StochasticSoftmaxRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress
) -> dict[str, float]:
    """Train, or go on from the newest checkpoint; returns the scores of the videos of `val/`.

    The bundle is written beside `folder`.

    Raises DataError if the data are missing or not as described, TrainingError if the bundle cannot be written.
    """
    train, test = load_videos(recipe, root)
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
