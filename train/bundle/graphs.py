"""One ONNX graph of a bundle: traced from a torch module, cleaned, and held against that module in ONNX Runtime."""

import gc
import hashlib
import inspect
import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from streamaffect.runtime.manifest import ContextSpec, GraphSpec
from streamaffect.runtime.onnx_file import read_signature

from ..errors import TrainingError
from .spatial_map import publish_map

OPSET = 18
LARGEST_DIFFERENCE = 1e-3  # of ONNX Runtime's numbers from torch's, both float32


@dataclass(frozen=True, slots=True)
class TracedGraph:
    """One graph to be: two rows of every input by name, to trace and to compare; the names of the outputs.

    lengths: further axes of every input that may have any length, by number, each with a name
    gives_map: a frame encoder, whose spatial features become a further output where it has some of that size
    """

    module: nn.Module
    examples: dict[str, Tensor]
    outputs: list[str]
    lengths: Mapping[int, str] = field(default_factory=dict)
    gives_map: bool = False


Graph = TracedGraph | Path  # a path is an ONNX file, such as another bundle's, that is taken over as it is


def crop_examples(size: int) -> dict[str, Tensor]:
    """Two random crops, the input of a frame encoder: (2, size, size, 3) uint8."""
    generator = torch.Generator().manual_seed(0)
    return {"crops": torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8, generator=generator)}


def feature_examples(frames: int, dim: int) -> dict[str, Tensor]:
    """Two random clips of features, the input of a clip encoder: (2, frames, dim) float32."""
    return {"features": torch.randn(2, frames, dim, generator=torch.Generator().manual_seed(0))}


def head_examples(dim: int, context: ContextSpec) -> dict[str, Tensor]:
    """Two rows of what a context head takes: clip (2, dim), context (2, K, dim), valid (2, K) bool.

    The clip stands at its place in its own context; of the second row nothing before it is valid.
    """
    clips = torch.randn(2, context.clips, dim, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(2, context.clips, dtype=torch.bool)
    valid[1, : context.past] = False
    own = clips[:, context.past].clone()  # inputs that share memory are traced with axes of any length
    return {"clip": own, "context": clips, "valid": valid}


def export_graph(graph: Graph, file: Path) -> GraphSpec:
    """Write one ONNX file; raises TrainingError where ONNX Runtime computes something else than the module."""
    if isinstance(graph, Path):
        shutil.copyfile(graph, file)
    else:
        _trace(graph, file)
        if graph.gives_map:
            publish_map(file)
    signature = read_signature(file)
    if signature.uncast is not None and isinstance(graph, TracedGraph):
        raise TrainingError(f"{file.name}: {signature.uncast}; the module must begin with a conversion to float")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return GraphSpec(file.name, digest, signature.inputs, signature.outputs, signature.opset)


class OnnxFile(nn.Module):
    """A graph that was taken over, in torch's clothes: its first output."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.session = _session(file)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Inputs in the order of the graph's own."""
        names = [spec.name for spec in self.session.get_inputs()]
        found = self.session.run(None, dict(zip(names, (tensor.numpy() for tensor in inputs), strict=True)))
        return torch.from_numpy(found[0])


def _trace(graph: TracedGraph, file: Path) -> None:
    module = graph.module.cpu().eval()
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


def _session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


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
