"""A fusion that hears by prosody, as the folder that stands beside the bundle whose clips it reads.

`fusion.onnx`, `fusion.json` and a card: the stream asks it where a face is hidden and its voice goes on.
"""

import math
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from streamaffect.runtime.manifest import CLIP_ENCODER, FRAME_ENCODER
from streamaffect.voice.joint import JointFusion
from streamaffect.voice.joint_manifest import GRAPH, INPUTS, MANIFEST, OUTPUT, SCHEMA, FusionManifest

from ...audiovisual.prosody_scale import ProsodyScale
from ...audiovisual.steps import StepWindows
from ...bundle.addition import begin_addition, finish_addition
from ...bundle.declared import now, trained_by
from ...bundle.graphs import TracedGraph, export_graph
from ...data.backbone import VisualBackbone
from ...data.labelled_clips import AFFECT_LABELS
from ...errors import DataError
from .bundle import BoundedFusion, window_examples
from .model import JointMultimodalTransformer
from .recipe import JmtRecipe

LEVEL = 0.9
LIMITS = (
    "It has learned from pairs that nobody filmed: still faces beside acted voices of one language, by emotion alone. "
    "How long an emotion lasts was chosen, not observed.",
    "Its arousal is that of the emotion that was asked for, and what voters saw in a picture.",
    "Of valence a voice says little: while the face is hidden it is what was seen last, less and less sure.",
    "For arousal it was by itself no better than late fusion with the voice, and the stream takes the mean of both; it "
    "adds valence, and intervals that are right.",
    "It takes every voice for that of the face.",
)


class HearingFusion(nn.Module):
    """visual (N, T, C), prosody (N, T, F), heard, valid and seen (N, T) bool → (N, T, 2) in [-1, 1]."""

    def __init__(self, model: JointMultimodalTransformer, scale: ProsodyScale) -> None:
        super().__init__()
        self.scale = scale
        self.fusion = BoundedFusion(model)

    def forward(self, visual: Tensor, audio: Tensor, heard: Tensor, valid: Tensor, seen: Tensor) -> Tensor:
        """The numbers of prosody are standardised inside."""
        out: Tensor = self.fusion(visual, self.scale(audio), heard, valid, seen)
        return out


def half_widths(pred: Tensor, steps: StepWindows, hidden: Tensor) -> dict[str, float]:
    """Residuals that nine of ten hidden and heard steps of speakers held out stay within (split conformal).

    pred: (N, S, 2) of the windows of `steps`; hidden: (N, S) bool. Raises DataError where no last step is of that kind.
    """
    heard = steps.heard[steps.windows[:, -1]] & hidden[:, -1]
    if not bool(heard.any()):
        raise DataError("no step held out is hidden and heard; intervals need some")
    errors = (pred[:, -1].clamp(-1, 1) - steps.labels[steps.windows[:, -1]])[heard].abs().sort(dim=0).values
    rank = min(len(errors), math.ceil((len(errors) + 1) * LEVEL)) - 1
    return {name: float(errors[rank, i]) for i, name in enumerate(AFFECT_LABELS)}


def export_addition(
    model: JointMultimodalTransformer,
    scale: ProsodyScale,
    recipe: JmtRecipe,
    backbone: VisualBackbone,
    target: Path,
    *,
    metrics: Mapping[str, float],
    half_widths: Mapping[str, float],
) -> None:
    """Write the folder to `target`, in place of the one that is there.

    Raises TrainingError where the graph computes something else than the model, or the result does not load.
    """
    assert recipe.pairs is not None
    unfinished = begin_addition(target)
    fusion = HearingFusion(model.cpu(), scale.cpu())
    examples = window_examples(backbone.dim, len(recipe.pairs.features), recipe.steps)
    graph = TracedGraph(fusion, {name: examples[name] for name in INPUTS}, [OUTPUT], lengths={1: "T"})
    encoders = backbone.bundle.manifest.graphs
    manifest = FusionManifest(
        schema=SCHEMA,
        name=recipe.name,
        version=recipe.version,
        licence=recipe.licence,
        created=now(),
        summary="Valence and arousal of a hidden face from what was seen of it and what is heard",
        frame_encoder=encoders[FRAME_ENCODER].sha256,
        clip_encoder=encoders[CLIP_ENCODER].sha256,
        features=list(recipe.pairs.features),
        steps=recipe.steps,
        step_s=backbone.clip.length_s,
        window_s=recipe.pairs.window_s,
        half_widths=dict(half_widths),
        level=LEVEL,
        graph=export_graph(graph, unfinished / GRAPH),
        training=trained_by("jmt", recipe.credits or [recipe.data], recipe.seed),
        metrics={name: round(value, 4) for name, value in metrics.items()},
        limits=list(LIMITS),
    )
    finish_addition(unfinished, target, manifest, _card(manifest), file=MANIFEST, kind="fusion", load=JointFusion)


def _card(manifest: FusionManifest) -> str:
    rows = "\n".join(f"| {name} | {value:.2f} |" for name, value in manifest.metrics.items())
    limits = "\n".join(f"- {limit}" for limit in manifest.limits)
    widths = " and ".join(f"±{width:.2f} of {name}" for name, width in manifest.half_widths.items())
    training = manifest.training
    return (
        f"# {manifest.label}\n\n{manifest.summary}. Licence: {manifest.licence}.\n\n"
        f"A joint multimodal transformer over {manifest.steps} steps of {manifest.step_s:g} s: clip vectors of the "
        f"encoders that it belongs to, and of what is heard {', '.join(manifest.features)}. "
        f"It is asked where the face is hidden and the voice goes on. The intervals, {widths}, held the truth in "
        f"{manifest.level:.0%} of such steps, "
        "with speakers and pictures that were held out.\n\n"
        f"Made by the recipe `{training.recipe}` at commit {training.commit}, seed {training.seed}, "
        f"from {', '.join(training.data)}.\n\n"
        f"| score on what was held out | |\n|---|---|\n{rows}\n\n"
        f"## What it cannot do\n\n{limits}\n"
    )
