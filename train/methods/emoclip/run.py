"""A run of EmoCLIP on embeddings of a frozen CLIP: videos learn to lie beside the sentences that describe them."""

from pathlib import Path

import torch
from torch import Tensor, nn

from streamaffect.runtime.manifest import Manifest

from ...loop.context import Context, Report
from ...loop.tensor_task import Batch, TensorTask
from .bundle import export_emoclip
from .clip_towers import ClipTowers
from .data.features import embed_classes
from .data.load import LoadedVideos, load_videos
from .loss import clip_contrastive_loss
from .model import ScaledTransformer, new_transformer
from .recipe import EmoClipRecipe
from .scores import score, scores
from .sentences import ClassSentences
from .weights import write_weights
from .windows import random_windows


def run(recipe: EmoClipRecipe, context: Context) -> Report:
    """Train, or go on from the newest checkpoint; returns the zero-shot scores of the validation part.

    The weights are written into the run's folder, and a bundle where the recipe names a CLIP.

    Raises DataError if the data are missing or not as described, ConfigError if a class has no sentence, TrainingError
    if there is no such CLIP or the bundle cannot be written.
    """
    videos = load_videos(recipe, context)
    model = train_transformer(recipe, videos, context)
    if context.trains and context.is_first:
        write_weights(model, context.folder)
    found = scores(model, videos.valid, recipe)
    if (towers := videos.towers) is not None:
        context.export(lambda target: _export(recipe, model, videos.sentences, towers, metrics=found, target=target))
    return {**found}


def train_transformer(recipe: EmoClipRecipe, videos: LoadedVideos, context: Context) -> ScaledTransformer:
    """The averaged model after all epochs, from one random window of each video at a time."""
    torch.manual_seed(recipe.seed)
    train = videos.train

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        frames, lengths, text = batch
        window, genuine = random_windows(frames, lengths, recipe.window)
        video, logit_scale = module(window, None if recipe.reference else genuine)
        return {"contrastive": clip_contrastive_loss(video, text, logit_scale, reference=recipe.reference)}

    task = TensorTask(
        new_transformer(recipe), (train.frames, train.lengths, train.text), losses,
        lambda module: score(module, videos.valid, recipe), batch=recipe.optimiser.batch, seed=recipe.seed,
    )  # fmt: skip
    average = context.fit(task, recipe.optimiser)
    assert isinstance(average, ScaledTransformer)
    return average


def _export(
    recipe: EmoClipRecipe,
    model: ScaledTransformer,
    sentences: dict[str, list[str]],
    towers: ClipTowers,
    *,
    metrics: dict[str, float],
    target: Path,
) -> Manifest:
    classes = ClassSentences(sentences, embed_classes(towers, sentences))
    temporal, logit_scale = model.cpu().temporal, model.logit_scale
    return export_emoclip(towers, temporal, logit_scale, classes, recipe=recipe, metrics=metrics, target=target)
