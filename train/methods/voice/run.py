"""A run of a voice model: trained by concordance, its interval from speakers held out, scored on corpora unseen."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...loop.context import Context, Report
from ...loop.device import device_of
from ...loop.tensor_task import Batch, TensorTask
from ...losses import ccc_loss
from ...metrics.correlation import concordance
from .bundle import export_voice
from .data import VoiceData, Voices, load_voices
from .model import ProsodyRegression
from .recipe import VoiceRecipe

LEVEL = 0.9


def run(recipe: VoiceRecipe, context: Context) -> Report:
    """Train, or go on from the newest checkpoint; returns the scores.

    Raises DataError if the data are missing or not as described, TrainingError if the model cannot be written.
    """
    data = load_voices(recipe, context)
    model = train_model(recipe, data, context)
    half_width = conformal_half_width(model, data.valid)
    scores = report_scores(model, data, half_width)
    context.export(
        lambda target: export_voice(model, recipe, target, metrics=scores, half_width=half_width, level=LEVEL)
    )
    return {"half_width": half_width, **scores}


def train_model(recipe: VoiceRecipe, data: VoiceData, context: Context) -> ProsodyRegression:
    """The averaged model after all epochs."""
    torch.manual_seed(recipe.seed)

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        features, arousal = batch
        return {"ccc": ccc_loss(module(features), arousal)}

    task = TensorTask(
        ProsodyRegression(recipe, data.train.features),
        (data.train.features, data.train.arousal),
        losses,
        lambda module: {"ccc": clip_score(module, data.valid)},
        batch=recipe.optimiser.batch,
        seed=recipe.seed,
    )
    average = context.fit(task, recipe.optimiser)
    assert isinstance(average, ProsodyRegression)
    return average.cpu().eval()


@torch.no_grad()
def conformal_half_width(model: nn.Module, voices: Voices, level: float = LEVEL) -> float:
    """The residual that so large a share of windows of speakers held out stays within (split conformal)."""
    residuals = (predict(model, voices) - voices.arousal).abs().flatten().sort().values
    rank = min(len(residuals), math.ceil((len(residuals) + 1) * level))
    return float(residuals[rank - 1])


@torch.no_grad()
def clip_score(model: nn.Module, voices: Voices) -> float:
    """Concordance of clips, each the mean of its windows."""
    found, truth = (_by_clip(values, voices.clips) for values in (predict(model, voices), voices.arousal))
    return float(concordance(found, truth))


@torch.no_grad()
def predict(model: nn.Module, voices: Voices) -> Tensor:
    """Arousal of each window, (N, 1) in [-1, 1]."""
    model.eval()
    device = device_of(model)
    found: Tensor = model(voices.features.to(device)).cpu().clamp(-1, 1)
    return found


def report_scores(model: nn.Module, data: VoiceData, half_width: float) -> Mapping[str, float]:
    """Of speakers held out, and of each corpus that was never trained on: concordance, and how often the interval is
    right."""
    scores = {"ccc_held_out_speakers": clip_score(model, data.valid)}
    for corpus, voices in data.unseen.items():
        within = (predict(model, voices) - voices.arousal).abs() <= half_width
        scores[f"ccc_{corpus}"] = clip_score(model, voices)
        scores[f"coverage_{corpus}"] = float(within.float().mean())
    return scores


def _by_clip(values: Tensor, clips: Tensor) -> Tensor:
    counts = torch.bincount(clips)
    sums = torch.zeros(len(counts)).index_add(0, clips, values.flatten())
    return (sums[counts > 0] / counts[counts > 0])[:, None]
