"""The one writer of bundles: graphs, manifest, card and further files become a folder that is whole or not there.

Everything is written to a folder beside the target and renamed when it is complete, loads through the runtime, and
streams what the model says of a whole sequence.
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from streamaffect.errors import BundleError
from streamaffect.runtime.bundle import MANIFEST, Bundle, load_bundle
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER, ROLES, GraphSpec, Manifest
from streamaffect.runtime.onnx_file import read_signature
from streamaffect.types import ImageArray

from ..errors import TrainingError
from .card import model_card
from .graphs import Graph, OnnxFile, TracedGraph, export_graph
from .streaming_check import OfflineModel, check_streaming
from .variants import add_variants, carry_variants

log = logging.getLogger(__name__)

CARD = "MODEL_CARD.md"
NOTES = "notes.md"  # beside a bundle: what its makers know, part of its card

Describe = Callable[[dict[str, GraphSpec]], Manifest]


def write_bundle(
    graphs: Mapping[str, Graph],
    describe: Describe,
    target: Path,
    *,
    card: Callable[[Manifest], str] | None = None,
    files: Mapping[str, bytes] = MappingProxyType({}),
    more_keys: Mapping[str, object] = MappingProxyType({}),
    check: Callable[[Bundle], None] | None = None,
    calibration: ImageArray | None = None,
) -> Manifest:
    """Write a bundle to `target`, in place of the one that is there.

    graphs:    by role. Those of another bundle are paths, see `taken_over`
    describe:  makes the manifest of them, such as `Declared.manifest`
    card:      makes the text of MODEL_CARD.md; by default the manifest's, with a file `notes.md` beside the bundle
    files:     more files by their path within the bundle
    more_keys: of manifest.json, which readers that don't know them ignore
    check:     one more check of the bundle before it takes its place; it raises TrainingError
    calibration: (M, S, S, 3) uint8 RGB of the training data, with which the frame encoder gets an int8 twin, if that
               says the same. One that is taken over from a bundle keeps that which it has

    The stream is held against torch wherever an encoder is new.

    Raises:
        TrainingError: a graph or the stream computes something else than the model it was made from, or the result
            does not load.
    """
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        manifest = describe({role: export_graph(graph, partial / f"{role}.onnx") for role, graph in graphs.items()})
        _write_manifest(manifest, more_keys, partial / MANIFEST)
        text = card(manifest) if card is not None else model_card(manifest, target.with_name(NOTES))
        (partial / CARD).write_text(text, encoding="utf-8")
        for name, content in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        bundle = load_bundle(partial)
        if any(isinstance(graphs[role], TracedGraph) for role in (FRAME_ENCODER, CLIP_ENCODER)):
            check_streaming(bundle, _offline(graphs, partial))
        if check is not None:
            check(bundle)
        manifest = _with_variants(partial, manifest, graphs[FRAME_ENCODER], calibration)
        _replace_folder(target, partial)
    except BundleError as error:
        raise TrainingError(f"{target}: the exported bundle does not load: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _with_variants(folder: Path, manifest: Manifest, encoder: Graph, calibration: ImageArray | None) -> Manifest:
    if calibration is not None:
        try:
            return add_variants(folder, calibration)
        except TrainingError as error:
            log.warning("the bundle is written without an int8 twin: %s", error)
            return manifest
    carried = carry_variants(folder, encoder) if isinstance(encoder, Path) else None
    return carried or manifest


def taken_over(bundle: Bundle, *roles: str) -> dict[str, Graph]:
    """Graphs of a bundle as they are, byte for byte; by default all that it has."""
    return {role: bundle.graph_path(role) for role in roles or bundle.manifest.graphs}


def _write_manifest(manifest: Manifest, more_keys: Mapping[str, object], file: Path) -> None:
    content = msgspec.to_builtins(manifest) | dict(more_keys)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def _offline(graphs: Mapping[str, Graph], folder: Path) -> OfflineModel:
    files = {role: folder / f"{role}.onnx" for role in ROLES}
    frame, clip, head = (
        graph.module if isinstance(graph := graphs[role], TracedGraph) else OnnxFile(file)
        for role, file in files.items()
    )
    return OfflineModel(frame, clip, head, [output.name for output in read_signature(files[CONTEXT_HEAD]).outputs])


def _replace_folder(target: Path, partial: Path) -> None:
    """Put the new folder where the old one is; a kill in between leaves one of them whole under a dotted name."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)
