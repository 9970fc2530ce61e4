"""A trained voice as the folder that the stream reads: `voice.onnx`, `voice.json` and its card."""

from collections.abc import Mapping
from pathlib import Path

import torch

from streamaffect.voice.manifest import GRAPH, INPUT, MANIFEST, OUTPUT, SCHEMA, VoiceManifest
from streamaffect.voice.model import VoiceModel

from ...bundle.addition import begin_addition, finish_addition
from ...bundle.declared import now, trained_by
from ...bundle.graphs import TracedGraph, export_graph
from .model import ProsodyRegression
from .recipe import VoiceRecipe

HEARD = 0.3
LIMITS = (
    "It has learned from acted speech of one language, where arousal is that of the emotion that was asked for.",
    "It knows nobody's neutral: a voice that is high or bright by nature reads as more aroused; without a baseline a "
    "speaker's mean is off by up to about 0.35.",
    "It says nothing of valence, which carried over to no other corpus.",
    "With several people in a window it reads the mixture; music and noise are kept out by the voice activity alone.",
)


def export_voice(
    model: ProsodyRegression,
    recipe: VoiceRecipe,
    target: Path,
    *,
    metrics: Mapping[str, float],
    half_width: float,
    level: float,
) -> None:
    """Write the folder to `target`, in place of the one that is there.

    Raises TrainingError where the graph computes something else than the model, or the result does not load.
    """
    unfinished = begin_addition(target)
    examples = {INPUT: model.mean + model.deviation * torch.randn(2, len(recipe.features), generator=_seeded())}
    manifest = VoiceManifest(
        schema=SCHEMA,
        name=recipe.name,
        version=recipe.version,
        licence=recipe.licence,
        created=now(),
        summary="Arousal from the prosody of a voice, whatever its level",
        features=list(recipe.features),
        window_s=recipe.window_s,
        heard=HEARD,
        half_width=half_width,
        level=level,
        graph=export_graph(TracedGraph(model, examples, [OUTPUT]), unfinished / GRAPH),
        training=trained_by("voice", recipe.credits or [recipe.data], recipe.seed),
        metrics={name: round(value, 4) for name, value in metrics.items()},
        limits=list(LIMITS),
    )
    finish_addition(unfinished, target, manifest, _card(manifest), file=MANIFEST, kind="voice model", load=VoiceModel)


def _card(manifest: VoiceManifest) -> str:
    rows = "\n".join(f"| {name} | {value:.2f} |" for name, value in manifest.metrics.items())
    limits = "\n".join(f"- {limit}" for limit in manifest.limits)
    training = manifest.training
    return (
        f"# {manifest.label}\n\n{manifest.summary}. Licence: {manifest.licence}.\n\n"
        f"It looks at {manifest.window_s:g} s of sound, {len(manifest.features)} numbers of it: "
        f"{', '.join(manifest.features)}. None depends on the level. It answers where somebody speaks in at least "
        f"{manifest.heard:.0%} of the window; the interval of ±{manifest.half_width:.2f} held the truth in "
        f"{manifest.level:.0%} of the windows of speakers held out.\n\n"
        f"Made by the recipe `{training.recipe}` at commit {training.commit}, seed {training.seed}, "
        f"from {', '.join(training.data)}.\n\n"
        f"| score | |\n|---|---|\n{rows}\n\n"
        "Concordance of clips; coverage: how often the interval of a window holds the truth in a corpus that was never "
        f"trained on.\n\n## What it cannot do\n\n{limits}\n"
    )


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)
