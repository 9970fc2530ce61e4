"""What is in a bundle: parameters, multiply-adds, element types and operators of each graph."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.manifest import ROLES, HeadSpec
from streamaffect.runtime.onnx_file import read_signature

from .onnx_package import require_onnx

BESIDE = "; beside the stream"


class GraphFacts(msgspec.Struct, frozen=True):
    """One graph at batch 1.

    flops:         of convolutions and matrix products, two for each multiply-add; parameters: numbers in the weights
    bytes:         of the weights, which is what a call has to read at least
    types:         element types of the weights, by number of values; operators: by number of nodes
    obstacle:      why TensorRT can't take the graph as it is; `build` rewrites it first
    """

    role: str
    inputs: list[str]
    outputs: list[str]
    opset: int
    parameters: int
    bytes: int
    flops: int
    types: dict[str, int]
    operators: dict[str, int]
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """All graphs and heads of a bundle. absent: roles of graphs beside the stream whose file is not there."""

    label: str
    graphs: list[GraphFacts]
    heads: list[HeadSpec]
    absent: list[str]

    def lines(self) -> list[str]:
        """One line per graph, what goes in and comes out, and one per head; what the stream does not run says so."""
        graphs = [
            f"{graph.role}: {', '.join(graph.inputs)} → {', '.join(graph.outputs)}" + _beside(graph.role, ROLES)
            for graph in self.graphs
        ]
        obstacles = [
            f"{graph.role}: TensorRT can't take it as it is: {graph.obstacle}; build rewrites it"
            for graph in self.graphs
            if graph.obstacle is not None
        ]
        missing = [f"{role}: its file is not in the bundle{BESIDE}" for role in self.absent]
        heads = [
            f"head {head.name}: {head.kind}, {_counted(len(head.outputs), 'output')} from the "
            f"{head.input}" + _beside(head.input, ("context",))
            for head in self.heads
        ]
        return graphs + obstacles + missing + heads

    def table(self) -> Table:
        """One row per graph; MFLOP are millions of floating-point operations at batch 1, two for each multiply-add."""
        table = Table(title=self.label, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for name in ("graph", "parameters", "MiB", "MFLOP", "opset", "weights"):
            table.add_column(name, no_wrap=True)
        table.add_column("operators")
        for graph in self.graphs:
            operators = ", ".join(f"{count} {name}" for name, count in list(graph.operators.items())[:5])
            table.add_row(
                graph.role,
                f"{graph.parameters:,}",
                f"{graph.bytes / 2**20:.1f}",
                f"{graph.flops / 1e6:.1f}",
                str(graph.opset),
                ", ".join(graph.types),
                operators,
            )
        return table


def inspect_bundle(bundle: Bundle) -> BundleFacts:
    """Read the three graphs, and those beside them. Raises EngineError where the onnx package is missing."""
    manifest = bundle.manifest
    beside = graphs_beside(bundle)
    present = [role for role in beside if bundle.graph_path(role).is_file()]
    graphs = [_inspect(bundle, role) for role in (*ROLES, *present)]
    return BundleFacts(manifest.label, graphs, manifest.heads, [role for role in beside if role not in present])


def graphs_beside(bundle: Bundle) -> list[str]:
    """The roles of graphs that are no part of the stream, such as one that hears or one that draws a map.

    A name that leads out of the bundle's folder is left out: nothing is read there.
    """
    graphs = bundle.manifest.graphs
    return [role for role in graphs if role not in ROLES and Path(graphs[role].file).name == graphs[role].file]


def _inspect(bundle: Bundle, role: str) -> GraphFacts:
    require_onnx()
    import onnx

    spec = bundle.manifest.graphs[role]
    model = onnx.load(bundle.graph_path(role))
    weights = list(model.graph.initializer)
    types: Counter[str] = Counter()
    for weight in weights:
        types[_type_name(weight.data_type)] += prod(weight.dims)
    operators = Counter(node.op_type for node in model.graph.node)
    return GraphFacts(
        role=role,
        inputs=[f"{tensor.name} {tensor.dtype} ({_axes(tensor.shape)})" for tensor in spec.inputs],
        outputs=[f"{tensor.name} {tensor.dtype} ({_axes(tensor.shape)})" for tensor in spec.outputs],
        opset=spec.opset,
        parameters=sum(prod(weight.dims) for weight in weights if weight.data_type == onnx.TensorProto.FLOAT),
        bytes=sum(onnx.numpy_helper.to_array(weight).nbytes for weight in weights),
        flops=2 * count_multiply_adds(model),
        types=dict(types.most_common()),
        operators=dict(operators.most_common()),
        obstacle=read_signature(bundle.graph_path(role)).uncast,
    )


def count_multiply_adds(model: Any) -> int:
    """Of convolutions and matrix products of an ONNX model at batch 1."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(_at_batch_one(model), data_prop=True)
    graph = inferred.graph
    shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)
    return sum(_of_node(node, shapes) for node in graph.node)


def _at_batch_one(model: Any) -> Any:
    """A copy whose named axes are 1 and whose inner shapes are forgotten, to be inferred anew."""
    import onnx

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    for value in (*fixed.graph.input, *fixed.graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_value = 1
    return fixed


def _of_node(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    output = prod(shapes.get(node.output[0], ()) or (0,))
    if node.op_type == "Conv":
        return output * prod(shapes[node.input[1]][1:])
    if node.op_type == "MatMul":
        return output * (shapes.get(node.input[0]) or (0,))[-1]
    if node.op_type == "Gemm":
        is_transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
        return output * (shapes.get(node.input[0]) or (0, 0))[0 if is_transposed else -1]
    return 0


def _beside(what: str, streamed: Sequence[str]) -> str:
    return "" if what in streamed else BESIDE


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _axes(shape: list[int | str]) -> str:
    return ", ".join(map(str, shape))


def _type_name(data_type: int) -> str:
    import onnx

    return str(onnx.TensorProto.DataType.Name(data_type)).lower()
