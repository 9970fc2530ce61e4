"""The trained head as a lens: the graph, the intervals, and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from streamaffect.lenses.manifest import MAP, SPREAD, VALUES, LensManifest, LensOutput
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.manifest import Calibration
from streamaffect.text.action_units import UNIT_BLENDSHAPES, UNIT_NAMES

from ...bundle.graphs import TracedGraph
from ...bundle.lens import DeclaredLens, write_lens
from ...bundle.spatial_map import SIDE
from .data import LEFT_OUT, NAMES, UNITS, WEAK
from .model import MapHead
from .recipe import LensRecipe
from .scores import LEVEL, Quantiles

KIND = "units"


class _Bounded(nn.Module):
    """Values within [0, 1], as they are published."""

    def __init__(self, head: MapHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        logits, spread = self.head(maps)
        return logits.sigmoid(), spread


@dataclass(frozen=True, slots=True)
class Trained:
    """What an export needs of a run. data: names of what the head has learned from; channels: of the encoder's map."""

    recipe: LensRecipe
    head: MapHead
    quantiles: Quantiles
    metrics: Mapping[str, object]
    data: list[str]
    channels: int


def export_lens(trained: Trained, target: Path) -> LensManifest:
    """Write the lens to `target`, in place of the one that is there. Raises TrainingError."""
    recipe, quantiles = trained.recipe, trained.quantiles
    maps = torch.rand(2, trained.channels, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    declared = DeclaredLens(
        name=recipe.name,
        kind=KIND,
        version=recipe.version,
        licence=recipe.licence,
        summary="Facial action units, 0 (not there) to 1, each with a 90 % interval",
        outputs=[
            LensOutput(name, (0.0, 1.0), "activation", UNIT_NAMES[unit], weak=unit in WEAK)
            for name, unit in zip(NAMES, UNITS, strict=True)
        ],
        recipe=f"{recipe.name}.toml",
        seed=recipe.seed,
        data=trained.data,
        metrics=_summarised(trained.metrics),
        calibration=Calibration(
            "normalised-conformal",
            LEVEL,
            SPREAD,
            dict(zip(NAMES, map(float, quantiles.stream), strict=True)),
            dict(zip(NAMES, map(float, quantiles.still), strict=True)),
        ),
        limits=[
            "It repeats MediaPipe's blendshapes, not the judgement of people who are trained in FACS",
            f"{', '.join(f'AU{unit:02d}' for unit in WEAK)} agree with the teacher at r < 0.6: weak, off by default",
            f"{', '.join(f'AU{unit:02d}' for unit in LEFT_OUT)} are left out: the teacher hardly ever moves them",
            _least_sure(trained.metrics),
            "Left and right are one number; a turned head widens the intervals only as far as clips had turned heads",
        ],
        notes=_notes(),
    )
    graph = TracedGraph(_Bounded(trained.head), {MAP: maps}, [VALUES, SPREAD])
    return write_lens(graph, declared, load_bundle(recipe.bundle or None), target)


def _least_sure(metrics: Mapping[str, object]) -> str:
    """The published unit that agrees least with the teacher in clips."""
    clips, stills = (_by_unit(metrics, part) for part in ("clips", "stills"))
    published = [name for name, unit in zip(NAMES, UNITS, strict=True) if unit not in WEAK and name in clips]
    least = min(published, key=lambda name: clips[name], default="")
    if not least:
        return "Nothing is known of how well single units agree with the teacher"
    return (
        f"{least} is the least sure of those published: r {clips[least]:.2f} in clips of unseen people, "
        f"{stills.get(least, 0.0):.2f} on pictures"
    )


def _by_unit(metrics: Mapping[str, object], part: str) -> Mapping[str, float]:
    found = metrics[part]
    assert isinstance(found, dict)
    by_unit: Mapping[str, float] = found["pearson"]
    return by_unit


def _summarised(metrics: Mapping[str, object]) -> dict[str, object]:
    """With the few figures that `streamaffect lenses` shows."""
    lines: dict[str, object] = {}
    for part, words in (("clips", "unseen people in clips"), ("stills", "unseen pictures")):
        found = metrics[part]
        assert isinstance(found, dict)
        lines[words] = (
            f"mean r {found['mean_pearson']:.2f}, CCC {found['mean_ccc']:.2f}, "
            f"{found['units_above_0.6']} units at r ≥ 0.6, intervals hold {100 * found['coverage']:.0f} %"
        )
    return {"summary": lines, **metrics}


def _notes() -> str:
    rows = "\n".join(
        f"| AU{unit:02d} | {UNIT_NAMES[unit]} | {', '.join(shapes)} | {_fate(unit)} |"
        for unit, shapes in UNIT_BLENDSHAPES.items()
    )
    return (
        "## Which blendshapes stand for which unit\n\n"
        "The mean of the blendshapes, left and right, is the target. Intervals are normalised conformal ones; their "
        "quantiles come from people and pictures that the head has not learned.\n\n"
        f"| unit | name (FACS) | blendshapes | published |\n|---|---|---|---|\n{rows}\n"
    )


def _fate(unit: int) -> str:
    return "no" if unit in LEFT_OUT else "weak, when asked for" if unit in WEAK else "yes"
