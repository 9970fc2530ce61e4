"""From a trained model to a bundle: three ONNX graphs that were checked against torch, a manifest and a card.

Everything is written to a folder beside the target and renamed when it is complete, loads through the runtime, and
streams what the model says of a whole sequence.
"""

import gc
import hashlib
import inspect
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from streamaffect.errors import BundleError
from streamaffect.runtime.bundle import MANIFEST, load_bundle
from streamaffect.runtime.manifest import (
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    SCHEMA,
    AbstainSpec,
    Calibration,
    GraphSpec,
    HeadSpec,
    Manifest,
    OutputSpec,
    TrainingSpec,
)
from streamaffect.runtime.onnx_file import read_signature

from ..data.stills import EMOTIONS as EMOTION_NAMES
from ..errors import TrainingError
from ..loop.run_record import current_commit
from ..methods.relational.calibrate import LEVEL, Quantiles
from ..methods.relational.encoders import Encoder
from ..methods.relational.model import AFFECT, AFFECT_SPREAD, EMOTIONS, AffectModel, ExportedHeads
from ..methods.relational.recipe import Recipe
from .streaming_check import OfflineModel, check_streaming

OPSET = 18
LARGEST_DIFFERENCE = 1e-3  # of ONNX Runtime's numbers from torch's, both float32


@dataclass(frozen=True, slots=True)
class Trained:
    """What an export needs of a run.

    quantiles: of the conformal intervals, per output; metrics: go into the manifest; data: names of what it has seen
    """

    recipe: Recipe
    encoder: Encoder
    model: AffectModel
    quantiles: Quantiles
    metrics: dict[str, object]
    data: list[str]


@dataclass(frozen=True, slots=True)
class TracedGraph:
    """One graph to be: two rows of every input by name, to trace and to compare; the names of the outputs.

    lengths: further axes of every input that may have any length, by number, each with a name
    """

    module: nn.Module
    examples: dict[str, Tensor]
    outputs: list[str]
    lengths: Mapping[int, str] = field(default_factory=dict)


def export_bundle(trained: Trained, target: Path, recipe_name: str, card: Callable[[Manifest], str]) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    card: makes the text of MODEL_CARD.md from the manifest

    Raises:
        TrainingError: a graph or the stream computes something else than the model, or the result does not load.
    """
    return write_bundle(_graphs(trained), target, lambda graphs: _manifest(trained, graphs, recipe_name), card)


def write_bundle(
    graphs: Mapping[str, TracedGraph | Path],
    target: Path,
    describe: Callable[[dict[str, GraphSpec]], Manifest],
    card: Callable[[Manifest], str],
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> Manifest:
    """Write any bundle: graphs by role, the manifest that `describe` makes of them, its card, and more files by name.

    A graph that is a path is an ONNX file, such as another bundle's, and is taken over as it is. The stream is held
    against torch unless one of the three graphs is among `files`, from a bundle where that was done.

    Raises:
        TrainingError: as `export_bundle`.
    """
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        manifest = describe({role: export_graph(graph, partial / f"{role}.onnx") for role, graph in graphs.items()})
        (partial / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        (partial / "MODEL_CARD.md").write_text(card(manifest), encoding="utf-8")
        for name, content in files.items():
            (partial / name).write_bytes(content)
        bundle = load_bundle(partial)
        if all(role in graphs for role in (FRAME_ENCODER, CLIP_ENCODER, CONTEXT_HEAD)):
            check_streaming(bundle, _offline(graphs, partial))
        replace_folder(target, partial)
    except BundleError as error:
        raise TrainingError(f"{target}: the exported bundle does not load: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _offline(graphs: Mapping[str, TracedGraph | Path], folder: Path) -> OfflineModel:
    files = {role: folder / f"{role}.onnx" for role in (FRAME_ENCODER, CLIP_ENCODER, CONTEXT_HEAD)}
    frame, clip, head = (
        graph.module if isinstance(graph := graphs[role], TracedGraph) else _OnnxFile(file)
        for role, file in files.items()
    )
    return OfflineModel(frame, clip, head, [output.name for output in read_signature(files[CONTEXT_HEAD]).outputs])


class _OnnxFile(nn.Module):
    """A graph that was taken over, in torch's clothes: its first output."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.session = _session(file)

    def forward(self, *inputs: Tensor) -> Tensor:
        names = [spec.name for spec in self.session.get_inputs()]
        found = self.session.run(None, dict(zip(names, (tensor.numpy() for tensor in inputs), strict=True)))
        return torch.from_numpy(found[0])


def _graphs(trained: Trained) -> dict[str, TracedGraph]:
    """The three graphs, each with two random rows to trace and to compare."""
    recipe, dim = trained.recipe, trained.encoder.dim
    generator = torch.Generator().manual_seed(0)
    size, frames, clips = recipe.crop.size, recipe.clip.frames, recipe.context.clips
    crops = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8, generator=generator)
    features = torch.randn(2, frames, dim, generator=generator)
    context = torch.randn(2, clips, dim, generator=generator)
    valid = torch.ones(2, clips, dtype=torch.bool)
    valid[1, : recipe.context.past] = False
    names = [AFFECT, AFFECT_SPREAD, *([EMOTIONS] if _learned_emotions(recipe) else [])]
    heads = {"clip": context[:, recipe.context.past].contiguous(), "context": context, "valid": valid}
    return {
        FRAME_ENCODER: TracedGraph(trained.encoder, {"crops": crops}, ["features"]),
        CLIP_ENCODER: TracedGraph(trained.model.clip_encoder, {"features": features}, ["clip"]),
        CONTEXT_HEAD: TracedGraph(ExportedHeads(trained.model, names), heads, names),
    }


def export_graph(graph: TracedGraph | Path, file: Path) -> GraphSpec:
    """Write one ONNX file; raises TrainingError where ONNX Runtime computes something else than the module."""
    if isinstance(graph, Path):
        shutil.copyfile(graph, file)
    else:
        _trace(graph, file)
    signature = read_signature(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return GraphSpec(file.name, digest, signature.inputs, signature.outputs, signature.opset)


def _trace(graph: TracedGraph, file: Path) -> None:
    module = graph.module.eval()
    inputs = tuple(graph.examples.values())
    axes = {0: torch.export.Dim("N", min=1)} | {
        axis: torch.export.Dim(name, min=2) for axis, name in graph.lengths.items()
    }
    shapes = tuple(axes for _ in inputs)
    takes_any_number = any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(module.forward).parameters.values())
    with warnings.catch_warnings(), _silenced("torch.onnx"), _uncollected(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter's own libraries; the result is checked below
        torch.onnx.export(
            module, inputs, file, dynamo=True, opset_version=OPSET, external_data=False, verbose=False,
            input_names=list(graph.examples), output_names=graph.outputs,
            dynamic_shapes=(shapes,) if takes_any_number else shapes,
        )  # fmt: skip
    _forget_where_it_was_made(file)
    _check_against_torch(module, graph, file)


def _forget_where_it_was_made(file: Path) -> None:
    """Drop what the exporter notes beside nodes and values: the source lines, with the folders of this machine."""
    import onnx

    model = onnx.load(file)
    noted = (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output)
    for part in (model, model.graph, *noted, *model.graph.initializer):
        del part.metadata_props[:]
    onnx.save(model, file)


def _session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _check_against_torch(module: nn.Module, graph: TracedGraph, file: Path) -> None:
    session = _session(file)
    # Three rows where two were traced: a batch size that was baked in shows here.
    rows = [0, 1, 0]
    inputs = {name: tensor[rows] for name, tensor in graph.examples.items()}
    for axis in graph.lengths:  # a length that was baked in shows in the same way
        inputs = {name: torch.cat([tensor, tensor], dim=axis) for name, tensor in inputs.items()}
    found = session.run(graph.outputs, {name: tensor.numpy() for name, tensor in inputs.items()})
    with torch.inference_mode():
        expected = module(*inputs.values())
    tensors = expected if isinstance(expected, tuple) else (expected,)
    difference = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(found, tensors, strict=True))
    if not difference <= LARGEST_DIFFERENCE:
        raise TrainingError(f"{file.name}: ONNX Runtime differs from torch by {difference:.2g}, allowed is "
                            f"{LARGEST_DIFFERENCE:g}; the bundle was not written")  # fmt: skip


def _manifest(trained: Trained, graphs: dict[str, GraphSpec], recipe_name: str) -> Manifest:
    recipe = trained.recipe
    affect = [OutputSpec("valence", (-1.0, 1.0)), OutputSpec("arousal", (-1.0, 1.0))]
    spread = [OutputSpec("valence", (0.0, 2.0)), OutputSpec("arousal", (0.0, 2.0))]
    emotions = [OutputSpec(name, (0.0, 1.0), "probability") for name in EMOTION_NAMES]
    calibration = Calibration(
        "normalised-conformal", LEVEL, AFFECT_SPREAD, trained.quantiles.stream, trained.quantiles.still
    )
    return Manifest(
        schema=SCHEMA,
        name=recipe.name,
        version=recipe.version,
        licence=recipe.licence,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        crop=recipe.crop,
        clip=recipe.clip,
        context=recipe.context,
        heads=[
            HeadSpec(AFFECT, "regression", affect, calibration=calibration),
            HeadSpec(AFFECT_SPREAD, "regression", spread),
            *([HeadSpec(EMOTIONS, "classification", emotions)] if _learned_emotions(recipe) else []),
        ],
        graphs=graphs,
        training=TrainingSpec(recipe_name, trained.data, current_commit(Path(__file__).parent), recipe.seed),
        metrics=trained.metrics,
        abstain=AbstainSpec(recipe.abstain_below),
    )


def _learned_emotions(recipe: Recipe) -> bool:
    """Without its part of the loss the head is noise, and stays out of the bundle."""
    return recipe.temporal.loss.cross_entropy > 0


def replace_folder(target: Path, partial: Path) -> None:
    """Put the new folder where the old one is; a kill in between leaves one of them whole under a dotted name."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage is looked for meanwhile: a trace makes hundreds of thousands of objects, all of them in use."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def _silenced(name: str) -> Iterator[None]:
    """Only errors of this logger, for the time of the block."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
