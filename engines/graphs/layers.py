"""In which type an engine computes its products, layer by layer: what "bf16" or "int8" has come to.

OpenVINO says it of its compiled models. ONNX Runtime, and TensorRT with strongly typed networks, compute in the types
that the graph says.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.manifest import ROLES

from .onnx_package import has_onnx

LayerTypes = dict[str, dict[str, int]]

ONNX_PRODUCTS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
OPENVINO_PRODUCTS = {"Convolution", "Deconvolution", "FullyConnected", "MatMul", "ScaledDotProductAttention"}
_NAMES = {
    "FLOAT": "fp32", "FLOAT16": "fp16", "BFLOAT16": "bf16", "INT8": "int8", "UINT8": "int8",
    "f32": "fp32", "f16": "fp16", "bf16": "bf16", "i8": "int8", "u8": "int8",
}  # fmt: skip


def types_of_graphs(bundle: Bundle, graphs: Mapping[str, Path | bytes]) -> LayerTypes:
    """Of every role, read from its ONNX graph: the given one, else the bundle's own.

    Nothing where the onnx package is missing, which plain fp32 does not need.
    """
    if not has_onnx():
        return {}
    return {role: types_of_graph(graphs.get(role, bundle.graph_path(role))) for role in ROLES}


def types_of_openvino(bundle: Bundle, precision: Precision, graphs: Mapping[str, Path]) -> LayerTypes:
    """Of every role: the encoders as OpenVINO compiles them here, the heads as ONNX Runtime runs them."""
    from streamaffect.runtime.openvino import OpenVinoEngine

    compiled = {role: file.read_bytes() for role, file in graphs.items()}
    types: LayerTypes = {}
    with closing(OpenVinoEngine(bundle, precision=precision, graphs=compiled)) as engine:
        for role, layers in engine.layers().items():
            types[role] = _sorted(Counter(_name(kind) for layer, kind in layers if layer in OPENVINO_PRODUCTS))
    return types_of_graphs(bundle, {}) | types


def types_of_graph(graph: Path | bytes) -> dict[str, int]:
    """How many convolutions and matrix products an ONNX graph computes in which type, the commonest first."""
    import onnx

    model = onnx.load_from_string(graph) if isinstance(graph, bytes) else onnx.load(graph)
    inferred = onnx.shape_inference.infer_shapes(model).graph
    kinds = {weight.name: weight.data_type for weight in inferred.initializer}
    kinds |= {value.name: value.type.tensor_type.elem_type for value in (*inferred.input, *inferred.value_info)}
    dequantised = {node.output[0] for node in inferred.node if node.op_type == "DequantizeLinear"}
    return _sorted(
        Counter(_type_of(node, kinds, dequantised) for node in inferred.node if node.op_type in ONNX_PRODUCTS)
    )


def _type_of(node: Any, kinds: Mapping[str, int], dequantised: set[str]) -> str:
    """A product of two dequantised tensors is what backends compute in int8."""
    import onnx

    if dequantised.issuperset(node.input[:2]):
        return "int8"
    kind = kinds.get(node.input[1], kinds.get(node.input[0], onnx.TensorProto.UNDEFINED))
    return _name(onnx.TensorProto.DataType.Name(kind))


def _name(kind: str) -> str:
    return _NAMES.get(kind, kind.lower())


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())
