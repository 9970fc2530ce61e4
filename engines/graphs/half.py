"""fp16 graphs: convolutions and matrix products, and what stands between them, in half precision.

A strongly typed network computes in the types that its graph says, so the graph has to be rewritten. What comes before
the first product stays in fp32, since pixel values and their squares don't fit into fp16; so do normalisations,
softmax and reductions, whose sums lose digits there.
"""

from typing import Any

import numpy as np

from .onnx_package import require_onnx

PRODUCTS = {"Conv", "Gemm", "MatMul", "ConvTranspose"}
# Element-wise, or only moving values: they follow their inputs into fp16.
FOLLOWERS = {
    "Add", "AveragePool", "Clip", "Concat", "Flatten", "GlobalAveragePool", "HardSigmoid", "HardSwish", "LeakyRelu",
    "MaxPool", "Mul", "PRelu", "Relu", "Reshape", "Sigmoid", "Slice", "Squeeze", "Sub", "Tanh", "Transpose",
    "Unsqueeze",
}  # fmt: skip
# Inputs of these operators that are shapes or indices, not values.
FIRST_ONLY = {"Reshape", "Slice", "Squeeze", "Unsqueeze"}


def to_half(model: Any) -> Any:
    """A copy of an ONNX model that computes in fp16 where it pays; inputs and outputs keep their types."""
    require_onnx()
    import onnx

    half = onnx.ModelProto()
    half.CopyFrom(model)
    writer = _Writer(half)
    nodes = list(half.graph.node)
    del half.graph.node[:], half.graph.value_info[:]
    for node in nodes:
        writer.add(node)
    writer.finish()
    onnx.checker.check_model(half)
    return half


class _Writer:
    """Writes the nodes again in order, and remembers which tensors exist in which type."""

    def __init__(self, model: Any) -> None:
        self._graph = model.graph
        self._weights = {weight.name: weight for weight in self._graph.initializer}
        self._outputs = {value.name for value in self._graph.output}
        self._half: set[str] = set()  # tensors whose nodes give fp16
        self._casts: dict[tuple[str, int], str] = {}

    def add(self, node: Any) -> None:
        """Write a node, in fp16 if it is a product or follows one."""
        from onnx import TensorProto

        if node.op_type == "Constant" or any(attribute.HasField("g") for attribute in node.attribute):
            self._graph.node.append(node)
            return
        values = node.input[:1] if node.op_type in FIRST_ONLY else node.input
        is_half = node.op_type in PRODUCTS or (node.op_type in FOLLOWERS and any(name in self._half for name in values))
        wanted = TensorProto.FLOAT16 if is_half else TensorProto.FLOAT
        for index, name in enumerate(node.input[: len(values)]):
            node.input[index] = self._as_type(name, wanted)
        self._graph.node.append(node)
        if is_half:
            self._half.update(name for name in node.output if name)

    def finish(self) -> None:
        """Give the graph's outputs back in fp32, under their own names."""
        from onnx import TensorProto, helper

        for name in sorted(self._outputs & self._half):
            inner = f"{name}__half"
            for node in self._graph.node:
                node.output[:] = [inner if output == name else output for output in node.output]
                node.input[:] = [inner if given == name else given for given in node.input]
            self._graph.node.append(helper.make_node("Cast", [inner], [name], to=TensorProto.FLOAT))
        used = {name for node in self._graph.node for name in node.input}
        kept = [weight for weight in self._graph.initializer if weight.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)

    def _as_type(self, name: str, wanted: int) -> str:
        """The tensor in the wanted type: itself, its fp16 weights, or a cast of it."""
        from onnx import TensorProto, helper

        is_half = wanted == TensorProto.FLOAT16
        if name == "":
            return name
        if name in self._weights:
            return self._weight_as_half(name) if is_half else name
        if (name in self._half) == is_half:
            return name
        key = (name, wanted)
        if key not in self._casts:
            self._casts[key] = f"{name}__{'half' if is_half else 'float'}_cast"
            self._graph.node.append(helper.make_node("Cast", [name], [self._casts[key]], to=wanted))
        return self._casts[key]

    def _weight_as_half(self, name: str) -> str:
        """Weights in fp16; what is not fp32 (indices, shapes) stays as it is."""
        from onnx import TensorProto, numpy_helper

        weight = self._weights[name]
        if weight.data_type != TensorProto.FLOAT:
            return name
        half = f"{name}__half_weight"
        if half not in self._weights:
            largest = np.finfo(np.float16).max
            values = np.clip(numpy_helper.to_array(weight), -largest, largest).astype(np.float16)
            self._weights[half] = numpy_helper.from_array(values, half)
            self._graph.initializer.append(self._weights[half])
        return half
