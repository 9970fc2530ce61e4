"""A run of temporal stochastic softmax: clips drawn where a video shows its class, videos pooled by softmax."""

from collections.abc import Sequence

from ...data.sets.class_folders import ClassVideo, hold_out
from ...loop.context import Context, Report
from .bundle import export_stochastic_softmax
from .data import load_videos
from .model import VideoClassifier
from .recipe import StochasticSoftmaxRecipe
from .task import ClipSamplingTask, SampledVideos, score


def run(recipe: StochasticSoftmaxRecipe, context: Context) -> Report:
    """Train, or go on from the newest checkpoint; returns the scores of the videos of `val/`.

    Raises DataError if the data are missing or not as described, TrainingError if the bundle cannot be written.
    """
    train, test = load_videos(recipe, context)
    train, valid = hold_out(train, recipe.valid_share, recipe.seed) if recipe.valid_share > 0 else (train, test)
    network = train_classifier(recipe, train, valid, context)
    scores = score(network, test)
    context.export(lambda target: export_stochastic_softmax(network, recipe, scores, target))
    return {**scores}


def train_classifier(
    recipe: StochasticSoftmaxRecipe, train: Sequence[ClassVideo], valid: Sequence[ClassVideo], context: Context
) -> VideoClassifier:
    """The averaged network after all epochs."""
    model = context.fit(ClipSamplingTask(recipe, train, valid), recipe.optimiser)
    assert isinstance(model, SampledVideos)
    return model.network
