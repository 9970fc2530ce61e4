"""The one writer of lenses: graph, `lens.json` and card become a folder that is whole, or not there."""

import datetime
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from streamaffect.errors import BundleError
from streamaffect.lenses.graph import GraphLens
from streamaffect.lenses.loading import check_fit, read_lens
from streamaffect.lenses.manifest import GRAPH, MANIFEST, SCHEMA, Cost, LensManifest, LensOutput
from streamaffect.lenses.view import View
from streamaffect.messages import NOTICE
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.machine import cpu_name
from streamaffect.runtime.manifest import FRAME_ENCODER, Calibration, TrainingSpec

from ..errors import TrainingError
from ..loop.run_record import current_commit
from .graphs import Graph, export_graph

CARD = "MODEL_CARD.md"
TIMED_CALLS = 200


@dataclass(frozen=True, slots=True)
class DeclaredLens:
    """What a method says of its lens. Fields are those of `LensManifest` and `TrainingSpec`.

    notes: what its makers know, part of the card
    """

    name: str
    kind: str
    version: str
    licence: str
    summary: str
    outputs: Sequence[LensOutput]
    recipe: str
    seed: int
    data: Sequence[str]
    metrics: Mapping[str, object]
    limits: Sequence[str]
    calibration: Calibration | None = None
    rate_hz: float = 0.0
    in_all: bool = True
    notes: str = field(default="", repr=False)


def write_lens(graph: Graph, declared: DeclaredLens, bundle: Bundle, target: Path) -> LensManifest:
    """Write the lens to `target`, in place of the one that is there; it belongs to the bundle's frame encoder.

    Raises TrainingError where the graph computes something else than its module, or the result does not load.
    """
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        manifest = _manifest(graph, declared, bundle, partial)
        _write(manifest, partial)
        manifest = msgspec.structs.replace(manifest, cost=_cost(partial))
        _write(manifest, partial)
        (partial / CARD).write_text(lens_card(manifest, declared.notes), encoding="utf-8")
        check_fit(read_lens(partial), bundle)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    except BundleError as error:
        raise TrainingError(f"{target}: the exported lens does not load: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def lens_card(manifest: LensManifest, notes: str) -> str:
    """MODEL_CARD.md: what it is, what it reads and gives, what it can't do, figures, and what its makers know."""
    training, cost = manifest.training, manifest.cost
    figures = {name: value for name, value in manifest.metrics.items() if name != "summary"}
    shown = ", ".join(f"{one.name} ({one.label})" if one.label else one.name for one in manifest.outputs)
    lines = [
        f"# Lens {manifest.label}",
        NOTICE,
        manifest.summary + ".",
        f"Licence of the weights: {manifest.licence}. Made {manifest.created} by the recipe `{training.recipe}` at "
        f"commit {training.commit}, seed {training.seed}, from {', '.join(training.data)}. It belongs to the frame "
        f"encoder `{manifest.encoder[:12]}…` and reads {', '.join(manifest.inputs)}.",
        f"Gives: {shown}." if len(manifest.outputs) < 32 else f"Gives {len(manifest.outputs)} numbers.",
        "" if cost is None else f"Cost: {cost.ms:g} ms a face ({cost.machine}, one thread).",
        "## What it can't do\n\n" + "\n".join(f"- {limit}" for limit in manifest.limits),
        "## Figures on unseen faces\n\n| figure | value |\n|---|---|\n" + "\n".join(_rows(figures)),
        notes.strip(),
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def _rows(metrics: Mapping[str, object], before: str = "") -> list[str]:
    rows: list[str] = []
    for name, value in metrics.items():
        words = f"{before}{name.replace('_', ' ')}"
        rows += _rows(value, f"{words}: ") if isinstance(value, dict) else [f"| {words} | {value} |"]
    return rows


def _manifest(graph: Graph, declared: DeclaredLens, bundle: Bundle, folder: Path) -> LensManifest:
    return LensManifest(
        schema=SCHEMA,
        name=declared.name,
        kind=declared.kind,
        version=declared.version,
        licence=declared.licence,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        encoder=bundle.manifest.graphs[FRAME_ENCODER].sha256,
        summary=declared.summary,
        outputs=list(declared.outputs),
        graphs={GRAPH: export_graph(graph, folder / f"{GRAPH}.onnx")},
        training=TrainingSpec(
            declared.recipe, list(declared.data), current_commit(Path(__file__).parent), declared.seed
        ),
        calibration=declared.calibration,
        rate_hz=declared.rate_hz,
        in_all=declared.in_all,
        metrics=dict(declared.metrics),
        limits=list(declared.limits),
    )


def _write(manifest: LensManifest, folder: Path) -> None:
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / MANIFEST).write_bytes(content + b"\n")


def _cost(folder: Path) -> Cost:
    """The middle of many calls with one face."""
    lens = read_lens(folder)
    part = GraphLens(lens)
    inputs = lens.manifest.graphs[GRAPH].inputs
    view = View(("cost", 0), 0.0, {spec.name: np.zeros([*map(int, spec.shape[1:])], spec.dtype) for spec in inputs})
    times_ms = []
    for _ in range(TIMED_CALLS):
        started_s = time.perf_counter()
        part.look([view])
        times_ms.append(1e3 * (time.perf_counter() - started_s))
    return Cost(round(statistics.median(times_ms), 3), cpu_name())
