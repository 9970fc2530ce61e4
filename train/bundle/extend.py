"""A bundle and more: the graphs of one that exists, unchanged, with further graphs and files beside them.

A reader that does not know the additions runs the bundle as before: it checks and uses the graphs it knows.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from streamaffect.errors import BundleError
from streamaffect.runtime.bundle import MANIFEST, load_bundle

from ..errors import TrainingError
from .export import TracedGraph, export_graph, replace_folder

CARD = "MODEL_CARD.md"


def extend_bundle(
    base: Path | None,
    target: Path,
    graphs: Mapping[str, TracedGraph],
    declare: Callable[[dict[str, Any]], None],
    *,
    files: Mapping[str, bytes],
    card: str,
) -> None:
    """Write `base` with further graphs by role to `target`, in place of what is there.

    base:    folder of a bundle, None: the shipped one
    declare: completes the manifest, as JSON, in which the graphs are listed already
    files:   by path within the bundle; card: is added to the model card

    Raises:
        BundleError: the base does not load.
        TrainingError: a graph computes something else than its module, or the result does not load.
    """
    bundle = load_bundle(base)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for name in [MANIFEST, CARD, *(graph.file for graph in bundle.manifest.graphs.values())]:
            if (bundle.path / name).is_file():
                shutil.copy(bundle.path / name, partial / name)
        manifest: dict[str, Any] = msgspec.json.decode((partial / MANIFEST).read_bytes())
        for role, graph in graphs.items():
            manifest["graphs"][role] = msgspec.to_builtins(export_graph(graph, partial / f"{role}.onnx"))
        declare(manifest)
        (partial / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        with (partial / CARD).open("a", encoding="utf-8") as text:
            text.write(f"\n{card}\n")
        for name, content in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        load_bundle(partial)
        replace_folder(target, partial)
    except BundleError as error:
        raise TrainingError(f"{target}: the exported bundle does not load: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
