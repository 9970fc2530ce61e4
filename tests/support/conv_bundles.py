"""A small convolutional bundle, for engines that change how convolutions are computed."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.support.bundles import DIM, SIZE, replace_graph, write_bundle

CHANNELS = 8


def write_conv_bundle(folder: Path) -> Path:
    """The bundle of `tests.support.bundles` with two convolutions as its frame encoder."""
    write_bundle(folder)
    replace_graph(folder, "frame_encoder", conv_encoder())
    return folder


def conv_encoder() -> onnx.ModelProto:
    """crops (N, S, S, 3) uint8 → features (N, 3) in [0, 1]: two strided convolutions, mean, linear, sigmoid."""
    rng = np.random.default_rng(11)
    weights = {
        "scale": np.float32(1 / 255),
        "first": rng.normal(0, 0.4, (CHANNELS, 3, 3, 3)).astype(np.float32),
        "first_bias": np.full(CHANNELS, 0.1, np.float32),
        "second": rng.normal(0, 0.3, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32),
        "axes": np.array([2, 3]),
        "last": rng.normal(0, 2.0, (CHANNELS, DIM)).astype(np.float32),
        "last_bias": np.zeros(DIM, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["crops"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "first", "first_bias"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("ReduceMean", ["d", "axes"], ["e"], keepdims=0),
        helper.make_node("Gemm", ["e", "last", "last_bias"], ["f"]),
        helper.make_node("Sigmoid", ["f"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", DIM])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def moving_bytes() -> onnx.ModelProto:
    """The convolutional encoder as bundles were exported before: it transposes bytes, and casts them then."""
    model = conv_encoder()
    cast, scale, transpose, *rest = model.graph.node
    transpose.input[0], transpose.output[0] = "crops", "moved"
    cast.input[0] = "moved"
    scale.output[0] = "planes"
    del model.graph.node[:]
    model.graph.node.extend([transpose, cast, scale, *rest])
    onnx.checker.check_model(model)
    return model
