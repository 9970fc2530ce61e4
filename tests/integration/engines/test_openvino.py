"""The real OpenVINO: the same numbers as ONNX Runtime, in every precision that this processor has, and in silence."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from engines.graphs.quantise import write_int8
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.engine import Engine
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.openvino import OpenVinoEngine, has_bf16
from streamaffect.types import BoolArray, FloatArray, ImageArray
from tests.support.bundles import SIZE, replace_graph, write_bundle
from tests.support.conv_bundles import conv_encoder, write_conv_bundle

# Importing it here, unguarded, would report to its maker.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="pip install 'streamaffect[openvino]' runs this"
)

Inputs = tuple[ImageArray, FloatArray, FloatArray, FloatArray, BoolArray]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_conv_bundle(tmp_path / "bundle"))


@pytest.fixture(params=[1, 3])
def inputs(request: pytest.FixtureRequest) -> Inputs:
    rows = int(request.param)
    rng = np.random.default_rng(0)
    valid = np.ones((rows, 3), np.bool_)
    valid[0, 0] = False
    return (
        rng.integers(0, 256, (rows, SIZE, SIZE, 3), np.uint8),
        rng.random((rows, 4, 3), np.float32),
        rng.random((rows, 3), np.float32),
        rng.random((rows, 3, 3), np.float32),
        valid,
    )


def outputs(engine: Engine, inputs: Inputs) -> list[FloatArray]:
    crops, features, clip, context, valid = inputs
    return [
        engine.encode_frames(crops),
        engine.encode_clips(features),
        *engine.run_heads(clip, context, valid).values(),
    ]


def largest_difference(bundle: Bundle, engine: Engine, inputs: Inputs) -> float:
    pairs = zip(outputs(OnnxRuntimeEngine(bundle), inputs), outputs(engine, inputs), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def test_fp32_gives_the_numbers_of_onnxruntime(bundle: Bundle, inputs: Inputs) -> None:
    assert largest_difference(bundle, OpenVinoEngine(bundle), inputs) < 1e-5


def test_bf16_is_near_where_the_processor_has_it(bundle: Bundle, inputs: Inputs) -> None:
    if not has_bf16():
        pytest.skip("this processor has no bf16")
    engine = OpenVinoEngine(bundle, precision="bf16")
    assert engine.info.precision == "bf16"
    assert largest_difference(bundle, engine, inputs) < 0.03


def test_bf16_is_refused_where_the_processor_lacks_it(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamaffect.runtime.openvino.has_bf16", lambda: False)
    with pytest.raises(EngineError, match="no bf16"):
        OpenVinoEngine(bundle, precision="bf16")


def test_int8_runs_the_quantised_graph(bundle: Bundle, inputs: Inputs, tmp_path: Path) -> None:
    crops = np.random.default_rng(2).integers(0, 256, (24, SIZE, SIZE, 3), np.uint8)
    write_int8(bundle.graph_path("frame_encoder"), tmp_path / "int8.onnx", crops, "openvino")
    graphs = {"frame_encoder": (tmp_path / "int8.onnx").read_bytes()}
    engine = OpenVinoEngine(bundle, precision="int8", graphs=graphs)
    assert 0 < largest_difference(bundle, engine, inputs) < 0.05


def test_outputs_stay_as_they_are_when_the_next_call_comes(bundle: Bundle) -> None:
    engine = OpenVinoEngine(bundle)
    dark, bright = (np.full((1, SIZE, SIZE, 3), level, np.uint8) for level in (20, 220))
    first = engine.encode_frames(dark)
    kept = first.copy()
    assert not np.array_equal(engine.encode_frames(bright), kept)
    assert np.array_equal(first, kept)


def test_rows_that_are_not_contiguous_are_read_right(bundle: Bundle) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    engine = OpenVinoEngine(bundle)
    assert np.allclose(engine.encode_frames(crops[::2]), engine.encode_frames(crops)[::2], atol=1e-6)


def test_it_runs_without_a_compiled_engine_when_asked_for_by_name(bundle: Bundle) -> None:
    info = open_engine(bundle, "openvino").info
    assert (info.backend, info.precision) == ("openvino", "fp32")
    assert info.reason.startswith("asked for by --engine openvino")


def test_a_graph_that_it_cannot_compile_is_one_clear_error(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle")
    model = conv_encoder()
    model.graph.node[3].op_type = "NoSuchOperator"
    replace_graph(folder, "frame_encoder", model)
    with pytest.raises(EngineError, match=r"frame_encoder.onnx: OpenVINO cannot compile it"):
        OpenVinoEngine(load_bundle(folder))
