"""A bundle on disk, checked before anything of it runs.

Loading proves that the manifest is of a known schema, that every graph is present and unaltered (SHA-256), that no
graph points to data outside itself, and that the shapes of the three graphs fit each other and the manifest.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streamaffect.errors import BundleError
from streamaffect.paths import from_home
from streamaffect.runtime.manifest import (
    AUDIO_ENCODER,
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    FUSION_HEAD,
    ROLES,
    SCHEMA,
    Manifest,
    SoundSpec,
    TensorSpec,
    decode_listing,
)
from streamaffect.runtime.onnx_file import GraphSignature, compare_tensors, read_content, read_graph

MANIFEST = "manifest.json"
SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model that may be run.

    path:        the folder
    manifest:    what it declares
    sha256:      of the manifest, which holds the hashes of all graphs: it names the whole model
    feature_dim: D, width of a frame's feature
    clip_dim:    C, width of a clip vector
    obstacles:   by role, why TensorRT can't take a graph as it is; `engines build` rewrites what can be rewritten
    """

    path: Path
    manifest: Manifest
    sha256: str
    feature_dim: int
    clip_dim: int
    obstacles: Mapping[str, str] = field(default_factory=dict)

    def graph_path(self, role: str) -> Path:
        """The ONNX file of a role such as "frame_encoder"."""
        return self.path / self.manifest.graphs[role].file


def default_bundle_path() -> Path:
    """The shipped bundle: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "engines" / "default"
    return installed if installed.is_dir() else package.parent / "engines" / "default"


def load_bundle(path: str | Path | None = None) -> Bundle:
    """Check a bundle's folder and describe it; None is the shipped one.

    Raises BundleError that names the file, the key, what was expected and what was found.
    """
    folder = default_bundle_path() if path is None else from_home(path)
    raw = _read_manifest(folder)
    manifest = decode_listing(folder / MANIFEST, raw, Manifest, schema=SCHEMA, remedy="export the bundle again")
    _check_numbers(folder / MANIFEST, manifest)
    signatures = {role: _check_graph(folder, manifest, role) for role in ROLES}
    feature_dim, clip_dim = _check_shapes(folder, manifest, signatures)
    _check_heads(folder, manifest, signatures[CONTEXT_HEAD])
    if manifest.sound is not None:
        _check_sound(folder, manifest, manifest.sound, clip_dim)
    obstacles = {role: found.uncast for role, found in signatures.items() if found.uncast is not None}
    return Bundle(folder, manifest, hashlib.sha256(raw).hexdigest(), feature_dim, clip_dim, obstacles)


def _read_manifest(folder: Path) -> bytes:
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such folder; --bundle takes the folder that holds {MANIFEST}")
    if not (folder / MANIFEST).is_file():  # nor a pipe, at which reading would wait
        raise BundleError(f"{folder}: there is no {MANIFEST} in it; this folder is not a bundle")
    return read_content(folder / MANIFEST)


def _check_numbers(file: Path, manifest: Manifest) -> None:
    """What the types can't say: the ranges of the numbers that size buffers."""
    ranges: list[tuple[str, float, float, float]] = [
        ("crop.size", manifest.crop.size, 16, 1024),
        ("crop.margin", manifest.crop.margin, 0, 2),
        ("clip.frames", manifest.clip.frames, 1, 512),
        ("clip.period_s", manifest.clip.period_s, 0.001, 10),
        ("context.past", manifest.context.past, 0, 64),
        ("context.future", manifest.context.future, 0, 64),
    ]
    for key, value, low, high in ranges:
        if not low <= value <= high:
            raise BundleError(f"{file}: {key} is {value}, expected {low} to {high}; export the bundle again")


def _check_graph(folder: Path, manifest: Manifest, role: str) -> GraphSignature:
    graph = manifest.graphs.get(role)
    if graph is None:
        found = ", ".join(manifest.graphs) or "none"
        raise BundleError(
            f"{folder / MANIFEST}: graphs.{role} is missing, without which nothing can be streamed (found: {found}); "
            "export the bundle again"
        )
    return read_graph(folder, MANIFEST, role, graph)


def _check_shapes(folder: Path, manifest: Manifest, signatures: dict[str, GraphSignature]) -> tuple[int, int]:
    """Hold all shapes against the manifest and each other; returns D and C."""
    size, frames, clips = manifest.crop.size, manifest.clip.frames, manifest.context.clips
    feature_dim = _last_axis(folder, manifest, FRAME_ENCODER, signatures[FRAME_ENCODER])
    clip_dim = _last_axis(folder, manifest, CLIP_ENCODER, signatures[CLIP_ENCODER])
    expected: dict[str, tuple[list[TensorSpec], list[TensorSpec]]] = {
        FRAME_ENCODER: (
            [TensorSpec("crops", ["N", size, size, 3], "uint8")],
            [TensorSpec("features", ["N", feature_dim], "float32")],
        ),
        CLIP_ENCODER: (
            [TensorSpec("features", ["N", frames, feature_dim], "float32")],
            [TensorSpec("clip", ["N", clip_dim], "float32")],
        ),
        CONTEXT_HEAD: (
            [
                TensorSpec("clip", ["N", clip_dim], "float32"),
                TensorSpec("context", ["N", clips, clip_dim], "float32"),
                TensorSpec("valid", ["N", clips], "bool"),
            ],
            [],
        ),
    }
    for role, (inputs, outputs) in expected.items():
        file = folder / manifest.graphs[role].file
        compare_tensors(file, "input", inputs, signatures[role].inputs)
        if outputs:
            compare_tensors(file, "output", outputs, signatures[role].outputs)
    return feature_dim, clip_dim


def _last_axis(folder: Path, manifest: Manifest, role: str, signature: GraphSignature) -> int:
    width = signature.outputs[0].shape[-1] if signature.outputs and signature.outputs[0].shape else None
    if not isinstance(width, int):
        file = folder / manifest.graphs[role].file
        raise BundleError(
            f"{file}: the output's last axis is {width!r}, expected a fixed width; export the bundle again"
        )
    return width


def _check_heads(folder: Path, manifest: Manifest, head_graph: GraphSignature) -> None:
    file = folder / manifest.graphs[CONTEXT_HEAD].file
    heads = [head for head in manifest.heads if head.input == "context"]
    if not heads:
        raise BundleError(f"{folder / MANIFEST}: heads holds no head with input 'context'; export the bundle again")
    expected = [TensorSpec(head.name, ["N", len(head.outputs)], "float32") for head in heads]
    compare_tensors(file, "output", expected, head_graph.outputs)
    for head in heads:
        if head.calibration is None:
            continue
        spread = manifest.head(head.calibration.spread)
        names = {output.name for output in head.outputs}
        given = (head.calibration.quantiles, head.calibration.still_quantiles or head.calibration.quantiles)
        if (
            spread is None
            or spread.input != "context"
            or names != {output.name for output in spread.outputs}
            or any(names != set(quantiles) or min(quantiles.values(), default=0) < 0 for quantiles in given)
        ):
            raise BundleError(
                f"{folder / MANIFEST}: heads.{head.name}.calibration needs the head {head.calibration.spread!r} "
                f"with input 'context' and a quantile ≥ 0 for each of {sorted(names)}; export the bundle again"
            )


def _check_sound(folder: Path, manifest: Manifest, sound: SoundSpec, clip_dim: int) -> None:
    """Of a bundle that can hear: its two further graphs, held against the manifest and each other."""
    encoder, head = (_check_graph(folder, manifest, role) for role in (AUDIO_ENCODER, FUSION_HEAD))
    audio_dim = _last_axis(folder, manifest, AUDIO_ENCODER, encoder)
    encoder_file, head_file = (folder / manifest.graphs[role].file for role in (AUDIO_ENCODER, FUSION_HEAD))
    compare_tensors(encoder_file, "input", [TensorSpec("samples", ["N", sound.samples], "float32")], encoder.inputs)
    compare_tensors(encoder_file, "output", [TensorSpec("audio", ["N", audio_dim], "float32")], encoder.outputs)
    inputs = [
        TensorSpec("visual", ["N", "T", clip_dim], "float32"),
        TensorSpec("audio", ["N", "T", audio_dim], "float32"),
        TensorSpec("heard", ["N", "T"], "bool"),
        TensorSpec("valid", ["N", "T"], "bool"),
    ]
    if any(spec.name == SEEN for spec in head.inputs):  # bundles before streamaffect 0.3 have none
        inputs.append(TensorSpec(SEEN, ["N", "T"], "bool"))
    compare_tensors(head_file, "input", inputs, head.inputs)
    given = [spec for output in head.outputs if (spec := manifest.head(output.name)) is not None]
    if not given:
        raise BundleError(f"{head_file}: gives none of the heads; export the bundle again")
    outputs = [TensorSpec(spec.name, ["N", "T", len(spec.outputs)], "float32") for spec in given]
    compare_tensors(head_file, "output", outputs, head.outputs)
