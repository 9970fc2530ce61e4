"""MODEL_CARD.md: what a bundle is, from its manifest, followed by what its makers know and a number cannot say."""

import re
from collections.abc import Mapping
from pathlib import Path

from streamaffect.messages import NOTICE
from streamaffect.runtime.manifest import Manifest

# A block that `benchmarks/render.py` fills from measured results.
MEASURED = re.compile(r"(<!-- (?:benchmark|conditions): [^\n]*? -->\n).*?(<!-- end -->)", re.DOTALL)
NOT_MEASURED = "Not measured for this bundle yet: `benchmarks/accuracy.py`, then `benchmarks/render.py` on this card.\n"


def notes_path(recipe: Path) -> Path:
    """The makers' notes beside a recipe: `default.toml` → `default_card.md`."""
    return recipe.with_name(f"{recipe.stem}_card.md")


def model_card(manifest: Manifest, notes: Path) -> str:
    """The card in Markdown; `notes` is left out where it does not exist.

    Tables of measured results in the notes are those of another bundle, and are emptied.
    """
    parts = [_head(manifest), _shape(manifest), _figures(manifest.metrics)]
    if notes.exists():
        parts.append(MEASURED.sub(rf"\1{NOT_MEASURED}\2", notes.read_text(encoding="utf-8").strip()))
    return "\n\n".join(parts) + "\n"


def _head(manifest: Manifest) -> str:
    training = manifest.training
    return (
        f"# {manifest.label}\n\n{NOTICE}\n\n"
        f"Licence of the weights: {manifest.licence}. Made {manifest.created} by the recipe `{training.recipe}` "
        f"at commit {training.commit}, seed {training.seed}, from {', '.join(training.data)}."
    )


def _shape(manifest: Manifest) -> str:
    crop, clip, context = manifest.crop, manifest.clip, manifest.context
    lines = [
        "## Inputs and outputs",
        "",
        f"- Crop: {crop.size} × {crop.size} pixels RGB, margin {crop.margin:g}, alignment {crop.align}.",
        f"- Clip: {clip.frames} frames, one each {clip.period_s:g} s.",
        f"- Context: {context.past} clips before, {context.future} after.",
    ]
    for head in manifest.heads:
        names = ", ".join(output.name for output in head.outputs)
        lines.append(f"- `{head.name}` ({head.kind}): {names}.")
    if manifest.abstain is not None:
        lines.append(f"- No value is published below a crop quality of {manifest.abstain.quality:g}.")
    return "\n".join(lines)


def _figures(metrics: Mapping[str, object]) -> str:
    lines = ["## Figures of the training run", "", "| figure | value |", "|---|---|"]
    for group, values in metrics.items():
        if isinstance(values, dict):
            lines += [f"| {_words(group)}: {_words(str(name))} | {value} |" for name, value in values.items()]
        else:
            lines.append(f"| {_words(group)} | {values} |")
    return "\n".join(lines)


def _words(name: str) -> str:
    return name.replace("_", " ")
