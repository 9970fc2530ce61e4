"""fp16 graphs: products in half precision, the outside unchanged, near the original."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines.graphs.half import to_half
from streamaffect.runtime.bundle import load_bundle
from tests.support.bundles import SIZE, context_head
from tests.support.conv_bundles import conv_encoder


def run(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [np.asarray(output) for output in onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)]


def types(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    known = {weight.name: weight.data_type for weight in inferred.graph.initializer}
    return known | {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}


def test_convolutions_and_products_compute_in_half() -> None:
    half = to_half(conv_encoder())
    kinds = types(half)
    products = [node for node in half.graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(products) == 3
    assert all(kinds[name] == TensorProto.FLOAT16 for node in products for name in node.input)


def test_pixels_are_scaled_and_means_are_taken_in_fp32() -> None:
    half = to_half(conv_encoder())
    kinds = types(half)
    full = [node for node in half.graph.node if node.op_type in ("Mul", "ReduceMean")]
    assert len(full) == 2
    assert all(kinds[node.output[0]] == TensorProto.FLOAT for node in full)


def test_names_and_types_of_inputs_and_outputs_stay() -> None:
    original, half = conv_encoder(), to_half(conv_encoder())
    assert list(half.graph.input) == list(original.graph.input)
    assert list(half.graph.output) == list(original.graph.output)


def test_the_numbers_stay_near() -> None:
    crops = np.random.default_rng(3).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    expected, found = run(conv_encoder(), {"crops": crops})[0], run(to_half(conv_encoder()), {"crops": crops})[0]
    assert 0 < np.abs(expected - found).max() < 2e-3


def test_a_graph_with_masks_and_indices_stays_valid() -> None:
    rng = np.random.default_rng(4)
    inputs = {
        "clip": rng.random((2, 3), np.float32),
        "context": rng.random((2, 3, 3), np.float32),
        "valid": np.array([[True, True, False], [True, False, False]]),
    }
    for expected, found in zip(run(context_head(3), inputs), run(to_half(context_head(3)), inputs), strict=True):
        assert np.abs(expected - found).max() < 2e-3


def test_a_tensor_that_is_an_output_and_used_inside_keeps_both_readers() -> None:
    weight = numpy_helper.from_array(np.eye(2, dtype=np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2]) for name in ("x", "y", "z")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", value[:1], value[1:], [weight]), opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )  # fmt: skip
    y, z = run(to_half(model), {"x": np.array([[1.5, -2.5]], np.float32)})
    assert y.tolist() == [[1.5, -2.5]]
    assert z.tolist() == [[1.5, 0]]


def test_weights_too_large_for_half_are_clipped_not_infinite() -> None:
    weight = numpy_helper.from_array(np.array([[1e6]], np.float32), "w")
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", value[:1], value[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    assert run(to_half(model), {"x": np.array([[1.0]], np.float32)})[0].item() == 65504


@pytest.mark.parametrize("role", ["frame_encoder", "clip_encoder"])
def test_the_shipped_encoders_stay_near(role: str) -> None:
    bundle = load_bundle()
    model = onnx.load(bundle.graph_path(role))
    rng = np.random.default_rng(5)
    size, frames = bundle.manifest.crop.size, bundle.manifest.clip.frames
    inputs: dict[str, dict[str, np.ndarray]] = {
        "frame_encoder": {"crops": rng.integers(0, 256, (2, size, size, 3), np.uint8)},
        "clip_encoder": {"features": rng.standard_normal((2, frames, bundle.feature_dim), np.float32)},
    }
    expected, found = run(model, inputs[role])[0], run(to_half(model), inputs[role])[0]
    assert np.abs(expected - found).max() < 0.01 * np.abs(expected).max()
