"""A lens on disk, checked before anything of it runs: files, hashes, shapes, and that it belongs to the bundle.

Loading proves what loading a bundle proves, and that the frame encoder whose outputs the lens was trained on is the one
that the bundle has: features of another one would give numbers that look like answers.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from streamaffect.errors import LensError
from streamaffect.lenses.manifest import (
    CLIP,
    CONTEXT,
    FEATURES,
    GRAPH,
    MANIFEST,
    MAP,
    SCHEMA,
    SPREAD,
    VALID,
    VALUES,
    LensManifest,
)
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.manifest import FRAME_ENCODER, TensorSpec, decode_listing
from streamaffect.runtime.onnx_file import compare_tensors, read_graph

MAKE_AGAIN = "copy or export the lens again"


@dataclass(frozen=True, slots=True)
class Lens:
    """A lens that may be run with a bundle.

    name:   under which it publishes, `outputs.<name>`
    path:   the folder; sha256: of `lens.json`, which holds the hash of the graph
    """

    name: str
    path: Path
    manifest: LensManifest
    sha256: str

    @property
    def graph_path(self) -> Path:
        """The ONNX file."""
        return self.path / self.manifest.graphs[GRAPH].file

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(file.stat().st_size for file in self.path.iterdir() if file.is_file())


def read_lens(folder: Path, name: str = "") -> Lens:
    """Check a lens's folder on its own; without a name it publishes under its own.

    Raises LensError, or BundleError where its graph is altered or cut.
    """
    file = folder / MANIFEST
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise LensError(
            f"{file}: cannot be read ({error.strerror}); a lens is a folder that holds {MANIFEST}"
        ) from None
    manifest = decode_listing(file, raw, LensManifest, schema=SCHEMA, remedy=MAKE_AGAIN, refusal=LensError)
    if not manifest.outputs:
        raise LensError(f"{file}: outputs is empty, expected at least one; {MAKE_AGAIN}")
    if set(manifest.graphs) != {GRAPH}:
        raise LensError(f"{file}: graphs must hold {GRAPH!r} alone, found {sorted(manifest.graphs)}; {MAKE_AGAIN}")
    signature = read_graph(folder, MANIFEST, GRAPH, manifest.graphs[GRAPH])
    width = len(manifest.outputs)
    outputs = [TensorSpec(VALUES, ["N", width], "float32")]
    if manifest.calibration is not None:
        outputs.append(TensorSpec(SPREAD, ["N", width], "float32"))
        _check_calibration(file, manifest)
    graph = folder / manifest.graphs[GRAPH].file
    compare_tensors(graph, "output", outputs, signature.outputs)
    compare_tensors(graph, "input", manifest.graphs[GRAPH].inputs, signature.inputs)
    return Lens(name or manifest.name, folder, manifest, hashlib.sha256(raw).hexdigest())


def check_fit(lens: Lens, bundle: Bundle) -> None:
    """Raise LensError where the lens belongs to another encoder, or reads what this bundle does not give."""
    encoder = bundle.manifest.graphs[FRAME_ENCODER]
    found = encoder.sha256
    if lens.manifest.encoder != found:
        raise LensError(
            f"{lens.path}: the lens {lens.manifest.label} belongs to the frame encoder {lens.manifest.encoder[:12]}…, "
            f"{bundle.manifest.label} has {found[:12]}…; take the bundle that it was made for, or a lens of this one"
        )
    given = _given(bundle)
    known = [one for one in given if one.name in lens.manifest.inputs]
    if unknown := set(lens.manifest.inputs) - {one.name for one in given}:
        raise LensError(
            f"{lens.path}: the lens reads {', '.join(sorted(unknown))}, which {bundle.manifest.label} does not give "
            f"(it gives {', '.join(one.name for one in given)})"
        )
    compare_tensors(lens.graph_path, "input", known, lens.manifest.graphs[GRAPH].inputs)
    if lens.name in {head.name for head in bundle.manifest.heads}:
        raise LensError(f"--lens {lens.name}: the bundle has a head of that name; call it otherwise, --lens NAME=DIR")


def _given(bundle: Bundle) -> list[TensorSpec]:
    """What a lens may read of a bundle, as one row of a batch."""
    manifest = bundle.manifest
    of_frames = [spec for spec in manifest.graphs[FRAME_ENCODER].outputs if spec.name == MAP]
    heads = [TensorSpec(head.name, ["N", len(head.outputs)], "float32") for head in manifest.heads]
    return [
        TensorSpec(FEATURES, ["N", bundle.feature_dim], "float32"),
        *of_frames,
        TensorSpec(CLIP, ["N", bundle.clip_dim], "float32"),
        TensorSpec(CONTEXT, ["N", manifest.context.clips, bundle.clip_dim], "float32"),
        TensorSpec(VALID, ["N", manifest.context.clips], "bool"),
        *heads,
    ]


def _check_calibration(file: Path, manifest: LensManifest) -> None:
    assert manifest.calibration is not None
    calibration, names = manifest.calibration, {output.name for output in manifest.outputs}
    given = (calibration.quantiles, calibration.still_quantiles or calibration.quantiles)
    if calibration.spread != SPREAD or any(set(one) != names or min(one.values()) < 0 for one in given):
        raise LensError(
            f"{file}: calibration needs the spread {SPREAD!r} and a quantile ≥ 0 for each of {sorted(names)}; "
            f"{MAKE_AGAIN}"
        )
