"""Variants of a bundle's graphs: the frame encoder in int8, and the probe crops by which each machine tries it.

Only the frame encoder has one: the clip encoder and the heads take a tenth of its time, and int8 would save a third of
that. No picture of the training data gets into a bundle. The probe crops are faces of the shipped demo clip.
"""

import hashlib
from pathlib import Path

import msgspec
import numpy as np

from streamaffect.errors import EngineError
from streamaffect.faces.detectors.detector import MediaPipeDetector
from streamaffect.runtime.bundle import MANIFEST, Bundle, load_bundle
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.manifest import FRAME_ENCODER, Limit, Manifest, ProbeSpec, VariantSpec
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.variants.files import read_graphs
from streamaffect.runtime.variants.probe import Probe, answer, deviations, pack_probe, read_probe
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.types import ImageArray

from ..data.prepare import tracked_faces
from ..errors import TrainingError
from .quantise import quantise

CALIBRATION_CROPS = 384  # of the training data; twice as many change no figure
PROBE_FILE, PROBE_GAP_S = "probe.npz", 0.4
INT8: Precision = "int8"
INT8_FILE = f"{FRAME_ENCODER}.{INT8}.onnx"
REFUSED_SHARE = 0.05  # of an output's range: a variant that is further off on a probe crop is not written
ROOM, LEAST_SHARE = 2.0, 0.01  # limits: so many times what was seen here, and at least this share of the range


def add_variants(folder: Path, crops: ImageArray) -> Manifest:
    """Put an int8 frame encoder and probe crops into a bundle's folder, in place of those that it may have.

    crops: (M, S, S, 3) uint8 RGB of the training data, which give the ranges and are not stored

    Raises TrainingError where there is nothing to quantise, or int8 would say something else than float32.
    """
    bundle = load_bundle(folder)
    return _attach(bundle, quantise(bundle.graph_path(FRAME_ENCODER), crops), probe_crops(bundle))


def carry_variants(folder: Path, encoder: Path) -> Manifest | None:
    """Give a bundle that has taken over the frame encoder of another one its int8 twin too.

    encoder: the file in the other bundle

    Returns None where that has no twin, or where these heads would make too much of its small differences.
    """
    if not (encoder.parent / MANIFEST).is_file():
        return None
    bundle, base = load_bundle(folder), load_bundle(encoder.parent)
    graph = base.manifest.graphs[FRAME_ENCODER]
    is_same = graph.sha256 == bundle.manifest.graphs[FRAME_ENCODER].sha256
    if not is_same or all(variant.precision != INT8 for variant in graph.variants):
        return None
    try:
        return _attach(bundle, read_graphs(base, INT8)[FRAME_ENCODER], read_probe(base).crops)
    except (EngineError, TrainingError):
        return None


def _attach(bundle: Bundle, twin: bytes, crops: ImageArray) -> Manifest:
    """Write the int8 graph and the probe, and name them in the manifest."""
    probe, limits = _probe(bundle, twin, crops)
    packed = pack_probe(probe)
    (bundle.path / INT8_FILE).write_bytes(twin)
    (bundle.path / PROBE_FILE).write_bytes(packed)
    graph = bundle.manifest.graphs[FRAME_ENCODER]
    others = [one for one in graph.variants if one.precision != INT8]
    variants = [*others, VariantSpec(INT8, INT8_FILE, _sha256(twin))]
    graphs = bundle.manifest.graphs | {FRAME_ENCODER: msgspec.structs.replace(graph, variants=variants)}
    spec = ProbeSpec(PROBE_FILE, _sha256(packed), limits)
    manifest = msgspec.structs.replace(bundle.manifest, graphs=graphs, probe=spec)
    _update(bundle.path / MANIFEST, manifest)
    return manifest


def _probe(bundle: Bundle, twin: bytes, crops: ImageArray) -> tuple[Probe, dict[str, dict[str, Limit]]]:
    """Crops with the answers of fp32, and the limits for a variant on other machines."""
    manifest = bundle.manifest
    expected = answer(OnnxRuntimeEngine(bundle), manifest, crops)
    found = answer(OnnxRuntimeEngine(bundle, precision=INT8, graphs={FRAME_ENCODER: twin}), manifest, crops)
    limits: dict[str, dict[str, Limit]] = {}
    ranges = {(head.name, one.name): one.range for head in manifest.heads for one in head.outputs}
    for (head, output), seen in deviations(manifest, expected, found).items():
        low, high = ranges[head, output]
        allowed, least = REFUSED_SHARE * (high - low), LEAST_SHARE * (high - low)
        if not seen.max <= allowed:
            raise TrainingError(
                f"int8 says something else than float32: {head}.{output} is off by {seen.max:.3f} on a face of the "
                f"demo clip, {allowed:.3f} is allowed"
            )
        limit = Limit(mean=round(max(ROOM * seen.mean, least), 4), max=round(max(ROOM * seen.max, 2 * least), 4))
        limits.setdefault(head, {})[output] = limit
    return Probe(crops, expected), limits


def probe_crops(bundle: Bundle) -> ImageArray:
    """Faces of the demo clip as the stream cuts them, every other one mirrored: (P, S, S, 3) uint8 RGB."""
    with MediaPipeDetector() as detector:
        rows = list(tracked_faces(DEMO_CLIP, detector, None, PROBE_GAP_S, bundle.manifest.crop))
    crops = np.stack([row[4] for row in rows])
    crops[1::2] = crops[1::2, :, ::-1]
    return crops


def _update(file: Path, manifest: Manifest) -> None:
    """Rewrite the manifest; keys that this version does not know stay."""
    content = msgspec.json.decode(file.read_bytes()) | msgspec.to_builtins(manifest)
    partial = file.with_suffix(".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    partial.replace(file)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
