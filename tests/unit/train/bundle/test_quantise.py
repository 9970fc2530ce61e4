"""The int8 twin of a frame encoder: close to float32, smaller, and no picture of the training data beside it."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.manifest import FRAME_ENCODER
from streamaffect.runtime.variants.files import read_graphs
from tests.support.bundles import SIZE, frame_encoder, write_bundle
from tests.support.conv_bundles import conv_encoder, write_conv_bundle
from train.bundle.quantise import WEIGHT_STEPS, measure_ranges, quantise
from train.bundle.variants import add_variants, carry_variants
from train.errors import TrainingError

CROPS = np.random.default_rng(3).integers(0, 256, (32, SIZE, SIZE, 3), np.uint8)


def run(model: bytes, crops: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    features: np.ndarray = session.run(["features"], {"crops": crops})[0]
    return features


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "encoder.onnx"
    onnx.save(conv_encoder(), file)
    return file


def test_the_twin_says_nearly_the_same_in_any_batch(source: Path) -> None:
    twin = quantise(source, CROPS)
    exact, found = run(source.read_bytes(), CROPS), run(twin, CROPS)
    assert 0 < np.abs(found - exact).max() < 0.03
    assert np.array_equal(run(twin, CROPS[:1]), found[:1])


def test_weights_have_seven_bits_so_that_no_kernel_overflows(source: Path) -> None:
    graph = onnx.load_from_string(quantise(source, CROPS)).graph
    weights = {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.data_type == TensorProto.INT8}
    stored = [array for name, array in weights.items() if name.endswith("_quantised")]
    assert len(stored) == 2
    largest = np.concatenate([np.abs(array.reshape(len(array), -1)).max(axis=1) for array in stored])
    assert set(largest.tolist()) == {WEIGHT_STEPS}
    assert 2 * WEIGHT_STEPS * 255 < 2**15


def test_a_relu_is_quantised_with_the_convolution_before_it(source: Path) -> None:
    graph = onnx.load_from_string(quantise(source, CROPS)).graph
    quantised = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    assert quantised == {"planes", "b", "d"}
    zeros = {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.name in ("b_zero", "d_zero")}
    assert [int(zero) for zero in zeros.values()] == [0, 0]


def test_a_convolution_that_costs_next_to_nothing_stays_in_float32(tmp_path: Path) -> None:
    model = conv_encoder()
    one = numpy_helper.from_array(np.ones((8, 8, 1, 1), np.float32), "narrow")
    model.graph.initializer.append(one)
    at = next(i for i, node in enumerate(model.graph.node) if node.op_type == "ReduceMean")
    pooled = helper.make_node("MaxPool", ["d"], ["small"], kernel_shape=[8, 8], strides=[8, 8])
    narrow = helper.make_node("Conv", ["small", "narrow"], ["n"])
    model.graph.node.insert(at, pooled)
    model.graph.node.insert(at + 1, narrow)
    model.graph.node[at + 2].input[0] = "n"
    onnx.save(model, tmp_path / "encoder.onnx")
    twin = onnx.load_from_string(quantise(tmp_path / "encoder.onnx", CROPS))
    convolutions = {node.output[0]: node.input[1] for node in twin.graph.node if node.op_type == "Conv"}
    assert convolutions == {"a": "first_dequantised", "c": "second_dequantised", "n": "narrow"}


def test_ranges_leave_out_the_outermost_values_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = conv_encoder()
    low, high = measure_ranges(model, ["scaled"], CROPS)["scaled"]
    assert (low, high) == (CROPS.min() / np.float32(255), CROPS.max() / np.float32(255))
    monkeypatch.setattr("train.bundle.quantise.CUT_SHARE", 0.25)
    low, high = measure_ranges(model, ["scaled"], CROPS)["scaled"]
    assert (low, high) == pytest.approx((0.25, 0.75), abs=0.01)


def test_what_has_no_convolution_is_refused(tmp_path: Path) -> None:
    onnx.save(frame_encoder(SIZE), tmp_path / "encoder.onnx")
    with pytest.raises(TrainingError, match="no convolution"):
        quantise(tmp_path / "encoder.onnx", CROPS)


def test_a_bundle_gets_a_twin_and_a_probe_and_stays_what_it_was(tmp_path: Path) -> None:
    folder = write_conv_bundle(tmp_path / "bundle")
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix == ".onnx"}
    add_variants(folder, CROPS)
    bundle = load_bundle(folder)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert list(read_graphs(bundle, "int8")) == [FRAME_ENCODER]
    added = {file.name for file in folder.iterdir()} - set(before) - {"manifest.json"}
    assert added == {"frame_encoder.int8.onnx", "probe.npz"}
    with np.load(folder / "probe.npz", allow_pickle=False) as probe:
        assert not any((crop == CROPS).all(axis=(1, 2, 3)).any() for crop in probe["crops"])
    add_variants(folder, CROPS)
    assert len(load_bundle(folder).manifest.graphs[FRAME_ENCODER].variants) == 1


def test_a_twin_that_says_something_else_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_conv_bundle(tmp_path / "bundle")
    before = (folder / "manifest.json").read_bytes()
    monkeypatch.setattr("train.bundle.quantise.CUT_SHARE", 0.4)
    with pytest.raises(TrainingError, match=r"int8 says something else than float32: affect\.\w+ is off by"):
        add_variants(folder, CROPS)
    assert (folder / "manifest.json").read_bytes() == before
    assert not (folder / "frame_encoder.int8.onnx").exists()


def test_a_bundle_that_takes_over_the_encoder_takes_over_its_twin(tmp_path: Path) -> None:
    base, heir, other = (write_conv_bundle(tmp_path / name) for name in ("base", "heir", "other"))
    add_variants(base, CROPS)
    assert carry_variants(heir, base / "frame_encoder.onnx") is not None
    assert read_graphs(load_bundle(heir), "int8") == read_graphs(load_bundle(base), "int8")
    assert carry_variants(other, heir.parent / "frame_encoder.onnx") is None
    assert carry_variants(write_bundle(tmp_path / "colours"), base / "frame_encoder.onnx") is None
