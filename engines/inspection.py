"""What is in a bundle: parameters, multiply-adds, element types and operators of each graph."""

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Any

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.manifest import ROLES

from .quantise import require_onnx


class GraphFacts(msgspec.Struct, frozen=True):
    """One graph at batch 1.

    multiply_adds: of convolutions and matrix products; parameters: numbers in the weights
    bytes:         of the weights, which is what a call has to read at least
    types:         element types of the weights, by number of values; operators: by number of nodes
    """

    role: str
    inputs: list[str]
    outputs: list[str]
    opset: int
    parameters: int
    bytes: int
    multiply_adds: int
    types: dict[str, int]
    operators: dict[str, int]


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """All graphs of a bundle."""

    label: str
    graphs: list[GraphFacts]

    def shapes(self) -> list[str]:
        """One line per graph: what goes in and what comes out."""
        return [f"{graph.role}: {', '.join(graph.inputs)} → {', '.join(graph.outputs)}" for graph in self.graphs]

    def table(self) -> Table:
        """One row per graph; Mmadd are millions of multiply-adds at batch 1."""
        table = Table(title=self.label, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for name in ("graph", "parameters", "MiB", "Mmadd", "opset", "weights"):
            table.add_column(name, no_wrap=True)
        table.add_column("operators")
        for graph in self.graphs:
            operators = ", ".join(f"{count} {name}" for name, count in list(graph.operators.items())[:5])
            table.add_row(
                graph.role,
                f"{graph.parameters:,}",
                f"{graph.bytes / 2**20:.1f}",
                f"{graph.multiply_adds / 1e6:.1f}",
                str(graph.opset),
                ", ".join(graph.types),
                operators,
            )
        return table


def inspect_bundle(bundle: Bundle) -> BundleFacts:
    """Read the three graphs. Raises EngineError where the onnx package is missing."""
    return BundleFacts(bundle.manifest.label, [_inspect(bundle, role) for role in ROLES])


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
        multiply_adds=count_multiply_adds(model),
        types=dict(types.most_common()),
        operators=dict(operators.most_common()),
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


def _axes(shape: list[int | str]) -> str:
    return ", ".join(map(str, shape))


def _type_name(data_type: int) -> str:
    import onnx

    return str(onnx.TensorProto.DataType.Name(data_type)).lower()
