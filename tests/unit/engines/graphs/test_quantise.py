"""int8 graphs: Q/DQ nodes in the form that each backend wants, near the original."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from engines.graphs.onnx_package import require_onnx
from engines.graphs.quantise import write_int8
from streamaffect.errors import EngineError
from streamaffect.runtime.engine_record import Backend
from streamaffect.types import ImageArray
from tests.support.bundles import SIZE, frame_encoder
from tests.support.conv_bundles import conv_encoder


@pytest.fixture
def crops() -> ImageArray:
    return np.random.default_rng(2).integers(0, 256, (24, SIZE, SIZE, 3), np.uint8)


def quantised(tmp_path: Path, crops: ImageArray, backend: Backend) -> onnx.ModelProto:
    source, target = tmp_path / "source.onnx", tmp_path / "int8.onnx"
    onnx.save(conv_encoder(), source)
    assert write_int8(source, target, crops, backend) == 2
    return onnx.load(target)


def zero_points(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    values = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    return {node.input[0]: values[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"}


def test_activations_are_unsigned_for_onnxruntime(tmp_path: Path, crops: ImageArray) -> None:
    points = zero_points(quantised(tmp_path, crops, "onnxruntime"))
    assert points
    assert all(point.dtype == np.uint8 for point in points.values())


@pytest.mark.parametrize("backend", ["openvino", "tensorrt"])
def test_activations_are_symmetric_for_the_others(tmp_path: Path, crops: ImageArray, backend: Backend) -> None:
    points = zero_points(quantised(tmp_path, crops, backend))
    assert points
    assert all(point.dtype == np.int8 and not point.any() for point in points.values())


def test_the_quantised_graph_stays_near_the_original(tmp_path: Path, crops: ImageArray) -> None:
    model = quantised(tmp_path, crops, "onnxruntime")
    found = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"crops": crops})[0]
    expected = onnxruntime.InferenceSession(conv_encoder().SerializeToString()).run(None, {"crops": crops})[0]
    assert 0 < np.abs(np.asarray(found) - np.asarray(expected)).max() < 0.03


def test_a_graph_without_convolutions_is_refused(tmp_path: Path, crops: ImageArray) -> None:
    onnx.save(frame_encoder(SIZE), tmp_path / "source.onnx")
    with pytest.raises(EngineError, match="no convolution"):
        write_int8(tmp_path / "source.onnx", tmp_path / "int8.onnx", crops, "openvino")
    assert not (tmp_path / "int8.onnx").exists()


def test_the_missing_onnx_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"pip install 'streamaffect\[engines\]'"):
        require_onnx()
