"""The default model as a bundle: frame encoder, clip encoder and context heads, with calibrated intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamaffect.runtime.manifest import (
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    AbstainSpec,
    Calibration,
    HeadSpec,
    Manifest,
    OutputSpec,
)
from streamaffect.types import ImageArray

from ...bundle.declared import AFFECT, Declared, affect_head, classes_head
from ...bundle.graphs import Graph, TracedGraph, crop_examples, feature_examples, head_examples
from ...bundle.writer import write_bundle
from ...data.stills import EMOTIONS
from .calibrate import LEVEL, Quantiles
from .encoders import Encoder
from .model import AFFECT_SPREAD, EMOTION_HEAD, AffectModel, ExportedHeads
from .recipe import Recipe


@dataclass(frozen=True, slots=True)
class Trained:
    """What an export needs of a run.

    quantiles: of the conformal intervals, per output; metrics: go into the manifest; data: names of what it has seen
    calibration: (M, S, S, 3) uint8 RGB of what it was trained on, for an int8 twin of the encoder; None: float32 alone
    """

    recipe: Recipe
    encoder: Encoder
    model: AffectModel
    quantiles: Quantiles
    metrics: dict[str, object]
    data: list[str]
    calibration: ImageArray | None = None


def export_bundle(trained: Trained, target: Path, recipe_name: str, card: Callable[[Manifest], str]) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    card: makes the text of MODEL_CARD.md from the manifest

    Raises:
        TrainingError: a graph or the stream computes something else than the model, or the result does not load.
    """
    describe = _declared(trained, recipe_name).manifest
    return write_bundle(_graphs(trained), describe, target, card=card, calibration=trained.calibration)


def _graphs(trained: Trained) -> dict[str, Graph]:
    recipe, dim = trained.recipe, trained.encoder.dim
    names = [AFFECT, AFFECT_SPREAD, *([EMOTION_HEAD] if _learned_emotions(recipe) else [])]
    heads = ExportedHeads(trained.model, names)
    return {
        FRAME_ENCODER: TracedGraph(trained.encoder, crop_examples(recipe.crop.size), ["features"], gives_map=True),
        CLIP_ENCODER: TracedGraph(trained.model.clip_encoder, feature_examples(recipe.clip.frames, dim), ["clip"]),
        CONTEXT_HEAD: TracedGraph(heads, head_examples(dim, recipe.context), names),
    }


def _declared(trained: Trained, recipe_name: str) -> Declared:
    recipe = trained.recipe
    calibration = Calibration(
        "normalised-conformal", LEVEL, AFFECT_SPREAD, trained.quantiles.stream, trained.quantiles.still
    )
    affect = affect_head()
    spread = [OutputSpec(output.name, (0.0, 2.0)) for output in affect.outputs]
    return Declared(
        name=recipe.name,
        version=recipe.version,
        licence=recipe.licence,
        recipe=recipe_name,
        seed=recipe.seed,
        data=trained.data,
        crop=recipe.crop,
        clip=recipe.clip,
        context=recipe.context,
        heads=[
            HeadSpec(AFFECT, "regression", affect.outputs, calibration=calibration),
            HeadSpec(AFFECT_SPREAD, "regression", spread),
            *([classes_head(EMOTION_HEAD, EMOTIONS)] if _learned_emotions(recipe) else []),
        ],
        metrics=trained.metrics,
        abstain=AbstainSpec(recipe.abstain_below),
    )


def _learned_emotions(recipe: Recipe) -> bool:
    """Without its part of the loss the head is noise, and stays out of the bundle."""
    return recipe.temporal.loss.cross_entropy > 0
