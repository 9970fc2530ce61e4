"""A personal bundle: a copy of its base with the person's map at the end of the clip encoder's graph.

The frame encoder and the heads are the base's, byte for byte. A clip is encoded once and kept as context, so the map at
the end of the clip encoder reaches query and context alike, and costs one addition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch
from torch import Tensor

from streamaffect.errors import BundleError, ConfigError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import CLIP_ENCODER, GraphSpec, HeadSpec, Manifest
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import FloatArray

from ....bundle.card import model_card
from ....bundle.declared import changed, trained_by
from ....bundle.graphs import LARGEST_DIFFERENCE
from ....bundle.writer import CARD, taken_over, write_bundle
from ....errors import TrainingError
from .adaptation import PersonMap

if TYPE_CHECKING:
    import onnx

PERSONALISATION = "personalisation"  # key of the manifest's metrics; a bundle that has it is personal
HELD = 0.95  # share of the person's clips on which the widened interval holds the base's


@dataclass(frozen=True, slots=True)
class Personal:
    """What is written beside the map.

    quantiles:  of the intervals, per output, by head; provenance: goes into the manifest
    features:   (M, T, D) some clips of the person, on which the written graphs are held against torch
    notes:      Markdown of the card, before the base's own
    """

    quantiles: Mapping[str, Mapping[str, float]]
    provenance: Mapping[str, object]
    crops: int
    seed: int
    features: FloatArray
    notes: str


def check_base(base: Bundle, target: Path) -> None:
    """Raises ConfigError where the base is personal already, or `target` holds something that must not be replaced."""
    if PERSONALISATION in base.manifest.metrics:
        raise ConfigError(f"--bundle {base.path}: {base.manifest.label} is a personal bundle already; start from the "
                          "one that it was made from")  # fmt: skip
    if target.resolve() == base.path.resolve():
        raise ConfigError(f"--out {target}: is the bundle that is adapted; name another folder")
    occupied = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if occupied and not _is_personal(target):
        raise ConfigError(f"--out {target}: exists and is no personal bundle; name another folder")


def write_personal(
    base: Bundle, person: PersonMap, personal: Personal, target: Path, files: Mapping[str, bytes]
) -> Manifest:
    """Write the bundle to `target`, in place of the personal one that is there.

    files: more files by their path within the bundle

    Raises:
        TrainingError: the written clip encoder computes something else than the map on the base's clip vectors.
    """
    with TemporaryDirectory() as folder:
        return write_bundle(
            taken_over(base) | {CLIP_ENCODER: _mapped_clip_encoder(base, person, Path(folder))},
            lambda graphs: _manifest(base, personal, graphs),
            target,
            card=lambda manifest: _card(base, manifest, personal),
            files=files,
            check=lambda written: _check_against_torch(base, written, person, personal.features),
        )


def append_map(model: "onnx.ModelProto", person: PersonMap) -> None:
    """Put the map between the graph's computation and its output `clip`."""
    from onnx import helper, numpy_helper

    graph = model.graph
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == "clip":
                    names[place] = "base_clip"
    stretch, shift = person.folded()
    graph.initializer.append(numpy_helper.from_array(shift.numpy(), "person_shift"))
    moved = "clip" if stretch is None else "shifted_clip"
    graph.node.append(helper.make_node("Add", ["base_clip", "person_shift"], [moved]))
    if stretch is not None:
        graph.initializer.append(numpy_helper.from_array(stretch.numpy(), "person_stretch"))
        graph.node.append(helper.make_node("MatMul", ["base_clip", "person_stretch"], ["stretched_clip"]))
        graph.node.append(helper.make_node("Add", ["shifted_clip", "stretched_clip"], ["clip"]))


def widened_quantiles(
    base: Manifest, before: Mapping[str, Tensor], after: Mapping[str, Tensor]
) -> dict[str, dict[str, float]]:
    """Quantiles per output by head, so wide that on `HELD` of the clips the new interval holds the base's.

    before, after: outputs (M, L) by name. Nothing is known of the true values of this person, so the interval that was
    calibrated is kept inside; a quantile is never smaller than the base's.
    """
    found: dict[str, dict[str, float]] = {}
    for head in base.heads:
        calibration = head.calibration
        if calibration is None or head.name not in after:
            continue
        old = torch.tensor([calibration.quantiles[output.name] for output in head.outputs])
        moved = (after[head.name] - before[head.name]).abs()
        needed = (old * before[calibration.spread] + moved) / after[calibration.spread]
        wide = torch.maximum(old, torch.quantile(needed, HELD, dim=0))
        found[head.name] = dict(zip((output.name for output in head.outputs), wide.tolist(), strict=True))
    return found


def _mapped_clip_encoder(base: Bundle, person: PersonMap, folder: Path) -> Path:
    """The base's clip encoder with the map at its end, as a file."""
    import onnx

    model = onnx.load(base.graph_path(CLIP_ENCODER))
    append_map(model, person)
    onnx.checker.check_model(model)
    file = folder / f"{CLIP_ENCODER}.onnx"
    onnx.save(model, file)
    return file


def _manifest(base: Bundle, personal: Personal, graphs: dict[str, GraphSpec]) -> Manifest:
    manifest = base.manifest
    data = [*manifest.training.data, f"{personal.crops} unlabelled crops of one person"]
    return changed(
        manifest,
        name=f"{manifest.name}-personal",
        heads=[_with_quantiles(head, personal.quantiles.get(head.name)) for head in manifest.heads],
        graphs=graphs,
        training=trained_by("personalise", data, personal.seed),
        metrics={PERSONALISATION: dict(personal.provenance)},  # the base's figures do not hold for this model
    )


def _with_quantiles(head: HeadSpec, quantiles: Mapping[str, float] | None) -> HeadSpec:
    """The head with these quantiles; those of stills are widened in the same proportion."""
    if quantiles is None or head.calibration is None:
        return head
    old = head.calibration
    still = old.still_quantiles and {
        name: value * quantiles[name] / old.quantiles[name] if old.quantiles[name] > 0 else max(value, quantiles[name])
        for name, value in old.still_quantiles.items()
    }
    calibration = msgspec.structs.replace(old, quantiles=dict(quantiles), still_quantiles=still)
    return msgspec.structs.replace(head, calibration=calibration)


def _card(base: Bundle, manifest: Manifest, personal: Personal) -> str:
    text = model_card(manifest, base.path / "no notes")
    old = base.path / CARD
    if old.is_file():
        personal_part = f"{text}\n{personal.notes}\n\n# The card of the base\n\n"
        return personal_part + old.read_text(encoding="utf-8").replace("\n#", "\n##")
    return f"{text}\n{personal.notes}\n"


def _check_against_torch(base: Bundle, written: Bundle, person: PersonMap, features: FloatArray) -> None:
    with torch.no_grad():
        expected = person(torch.from_numpy(OnnxRuntimeEngine(base).encode_clips(features))).numpy()
    found = OnnxRuntimeEngine(written).encode_clips(features)
    difference = float(np.abs(found - expected).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise TrainingError(f"{CLIP_ENCODER}.onnx: ONNX Runtime differs from torch by {difference:.2g}, allowed is "
                            f"{LARGEST_DIFFERENCE:g}; the bundle was not written")  # fmt: skip


def _is_personal(folder: Path) -> bool:
    try:
        return PERSONALISATION in load_bundle(folder).manifest.metrics
    except BundleError:
        return False
