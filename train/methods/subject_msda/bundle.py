"""The recipe's head on a bundle's own clip vectors: pictures go in as the stream would see them, a bundle comes out.

Frame and clip encoder are those of a base bundle, whose clip vectors of stills are the features that the recipe trains
on. The written bundle has the base's two encoders, byte for byte, and the adapted head in place of the base's.
"""

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import torch

from streamaffect.errors import BundleError
from streamaffect.runtime.bundle import MANIFEST, Bundle, load_bundle
from streamaffect.runtime.manifest import (
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    ContextSpec,
    GraphSpec,
    HeadSpec,
    Manifest,
    OutputSpec,
    TrainingSpec,
)

from ...bundle.card import model_card
from ...bundle.export import TracedGraph, export_graph, replace_folder
from ...errors import TrainingError
from ...loop.run_record import current_commit
from .model import ExportedHead

HEAD = "expressions"


def export_head(
    head: ExportedHead,
    base: Bundle,
    target: Path,
    *,
    name: str,
    classes: Sequence[str],
    seed: int,
    metrics: Mapping[str, float],
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there. A file `notes.md` beside it joins its card.

    Raises:
        TrainingError: the graph computes something else than the head, or the result does not load.
    """
    clip = torch.randn(2, base.clip_dim, generator=torch.Generator().manual_seed(0))
    inputs = {"clip": clip, "context": clip.unsqueeze(1), "valid": torch.ones(2, 1, dtype=torch.bool)}
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        graphs = {role: base.manifest.graphs[role] for role in (FRAME_ENCODER, CLIP_ENCODER)}
        for graph in graphs.values():
            shutil.copyfile(base.path / graph.file, partial / graph.file)
        graphs[CONTEXT_HEAD] = export_graph(TracedGraph(head, inputs, [HEAD]), partial / f"{CONTEXT_HEAD}.onnx")
        manifest = _manifest(base, graphs, name=name, classes=classes, seed=seed, metrics=dict(metrics))
        (partial / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        card = model_card(manifest, target.with_name("notes.md"))
        (partial / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        load_bundle(partial)
        replace_folder(target, partial)
    except BundleError as error:
        raise TrainingError(f"{target}: the exported bundle does not load: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _manifest(
    base: Bundle,
    graphs: dict[str, GraphSpec],
    *,
    name: str,
    classes: Sequence[str],
    seed: int,
    metrics: dict[str, object],
) -> Manifest:
    outputs = [OutputSpec(one, (0.0, 1.0), "probability") for one in classes]
    data = [f"clip vectors of {base.manifest.label}", "labelled people", "unlabelled pictures of one person"]
    return msgspec.structs.replace(
        base.manifest,
        name=name,
        version="0.1",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        context=ContextSpec(past=0, future=0),
        heads=[HeadSpec(HEAD, "classification", outputs)],
        graphs=graphs,
        training=TrainingSpec(name, data, current_commit(Path(__file__).parent), seed),
        metrics=metrics,
    )
