"""A frame encoder in int8: Q/DQ nodes around its convolutions, with ranges that were seen on training crops.

The graph is what ONNX Runtime's kernels for processors want: activations as unsigned bytes with a zero point, weights
as signed numbers of 7 bits per channel, biases in float32. With 8 bits the sum of two products could overflow on
processors that have AVX2 and no VNNI; one bit less costs a tenth of the accuracy. A ReLU is quantised together with the
convolution before it, so that none of the 256 steps is spent on what it would cut off. The cheapest convolutions stay
in float32: the first one and the narrow shortcuts cost hardly any time and make half of the error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streamaffect.types import FloatArray, ImageArray

from ..errors import TrainingError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

KEPT_SHARE = 0.02  # of the multiply-adds, in the cheapest convolutions, which stay in float32
CUT_SHARE = 1e-5  # of the values of an activation, on each side, that may lie outside its range: MinMax serves outliers
WEIGHT_STEPS, STEPS = 64, 255  # 2 · 64 · 255 fits 16 bits
TINY = 1e-30  # a scale that is never zero
AT_ONCE = 8  # crops


@dataclass(frozen=True, slots=True)
class Quantised:
    """A convolution to be quantised: its node, and the value that is its result, behind the ReLU if there is one."""

    node: "NodeProto"
    result: str


def quantise(source: Path, crops: ImageArray) -> bytes:
    """The int8 twin of a frame encoder, an ONNX model.

    crops: (M, S, S, 3) uint8 RGB, such as the encoder was trained on; they are not stored

    Raises TrainingError where there is no convolution to quantise.
    """
    import onnx

    model = onnx.load(source)
    chosen = list(_costly(model))
    if not chosen:
        raise TrainingError(f"{source.name}: has no convolution that int8 would make faster")
    values = sorted({one.node.input[0] for one in chosen} | {one.result for one in chosen})
    ranges = measure_ranges(model, values, crops)
    _insert(model.graph, chosen, ranges)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def measure_ranges(model: "ModelProto", values: list[str], crops: ImageArray) -> dict[str, tuple[float, float]]:
    """The lowest and highest number of each inner value over all crops, but for CUT_SHARE of them on each side."""
    session = _with_outputs(model, values)
    lows: dict[str, FloatArray] = {name: np.empty(0, np.float32) for name in values}
    highs = dict(lows)
    for start in range(0, len(crops), AT_ONCE):
        part = crops[start : start + AT_ONCE]
        for name, found in zip(values, session.run(values, {"crops": part}), strict=True):
            kept = 1 + int(CUT_SHARE * found.size / len(part) * len(crops))
            lows[name] = _smallest(np.concatenate([lows[name], found.ravel()]), kept)
            highs[name] = -_smallest(-np.concatenate([highs[name], found.ravel()]), kept)
    return {name: (float(lows[name].max()), float(highs[name].min())) for name in values}


def _smallest(numbers: FloatArray, count: int) -> FloatArray:
    return numbers if len(numbers) <= count else np.partition(numbers, count - 1)[:count]


def _with_outputs(model: "ModelProto", values: list[str]) -> Any:
    import onnx
    import onnxruntime

    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    known = {output.name for output in model.graph.output}
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in values if name not in known)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(opened.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _costly(model: "ModelProto") -> Iterator[Quantised]:
    """The convolutions that are worth it: not the cheapest ones, nor those whose result leaves the graph."""
    costs = dict(_multiply_adds(model))
    budget = KEPT_SHARE * sum(costs.values())
    kept: set[str] = set()
    for name, cost in sorted(costs.items(), key=lambda item: item[1]):
        budget -= cost
        if budget < 0:
            break
        kept.add(name)
    outputs = {output.name for output in model.graph.output}
    for node in _convolutions(model.graph):
        result = _result(model.graph, node)
        if node.output[0] not in kept and result not in outputs:
            yield Quantised(node, result)


def _convolutions(graph: "GraphProto") -> Iterator["NodeProto"]:
    """Those whose weights are stored in the graph."""
    stored = {tensor.name for tensor in graph.initializer}
    return (node for node in graph.node if node.op_type == "Conv" and node.input[1] in stored)


def _multiply_adds(model: "ModelProto") -> Iterator[tuple[str, int]]:
    """Of each convolution, by the name of its output, for one crop."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    places = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim[1:]]
        for value in (*inferred.value_info, *inferred.output)
    }
    weights = {tensor.name: tensor.dims for tensor in inferred.initializer}
    for node in _convolutions(inferred):
        yield node.output[0], prod(places.get(node.output[0], [0])) * prod(weights[node.input[1]][1:])


def _result(graph: "GraphProto", node: "NodeProto") -> str:
    readers = [reader for reader in graph.node if node.output[0] in reader.input]
    is_cut = len(readers) == 1 and readers[0].op_type == "Relu"
    return str(readers[0].output[0] if is_cut else node.output[0])


def _insert(graph: "GraphProto", chosen: list[Quantised], ranges: Mapping[str, tuple[float, float]]) -> None:
    """Put a pair of Q and DQ behind each value; what reads a convolution's result reads it from there."""
    import onnx

    results, nodes = {one.result for one in chosen}, [one.node for one in chosen]
    for name, (low, high) in ranges.items():
        readers = [node for node in graph.node if name in node.input and (name in results or node in nodes)]
        scale, zero = _activation_scale(low, high)
        pair = _stored(graph, f"{name}_scale", scale), _stored(graph, f"{name}_zero", zero)
        for reader in readers:
            places = range(len(reader.input)) if name in results else (0,)
            for place in places:
                if reader.input[place] == name:
                    reader.input[place] = f"{name}_dequantised"
        graph.node.append(onnx.helper.make_node("QuantizeLinear", [name, *pair], [f"{name}_quantised"]))
        graph.node.append(
            onnx.helper.make_node("DequantizeLinear", [f"{name}_quantised", *pair], [f"{name}_dequantised"])
        )
    for node in nodes:
        _quantise_weights(graph, node)
    _sort(graph)


def _activation_scale(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point of unsigned bytes; zero itself is always one of their values."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32(max(high - low, STEPS * TINY) / STEPS)
    return np.asarray(scale), np.asarray(np.clip(round(-low / float(scale)), 0, STEPS), np.uint8)


def _quantise_weights(graph: "GraphProto", node: "NodeProto") -> None:
    """Signed bytes in place of float32 weights, a scale per channel of the output."""
    import onnx

    name = node.input[1]
    node.input[1] = f"{name}_dequantised"
    if any(node.input[1] in other.output for other in graph.node):
        return  # of another convolution that has the same weights
    weights = onnx.numpy_helper.to_array(next(tensor for tensor in graph.initializer if tensor.name == name))
    flat = np.asarray(weights, np.float32).reshape(len(weights), -1)
    largest = np.abs(flat).max(axis=1)
    scales = np.asarray(np.where(largest > 0, largest, 1) / WEIGHT_STEPS, np.float32)
    steps = np.rint(flat / scales[:, None]).astype(np.int8).reshape(weights.shape)
    inputs = (
        _stored(graph, f"{name}_quantised", steps),
        _stored(graph, f"{name}_scale", scales),
        _stored(graph, f"{name}_zero", np.zeros(len(scales), np.int8)),
    )
    graph.node.append(onnx.helper.make_node("DequantizeLinear", list(inputs), [f"{name}_dequantised"], axis=0))
    if not any(name in other.input for other in graph.node):
        graph.initializer.remove(next(tensor for tensor in graph.initializer if tensor.name == name))


def _stored(graph: "GraphProto", name: str, array: np.ndarray) -> str:
    import onnx

    if all(tensor.name != name for tensor in graph.initializer):
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return name


def _sort(graph: "GraphProto") -> None:
    """Nodes in an order in which each stands behind what it reads, as ONNX demands."""
    ready = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input} | {""}
    waiting, ordered = list(graph.node), []
    while waiting:
        able = [node for node in waiting if all(name in ready for name in node.input)]
        for node in able:
            waiting.remove(node)
            ready.update(node.output)
        ordered += able
    del graph.node[:]
    graph.node.extend(ordered)
