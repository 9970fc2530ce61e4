"""Building TensorRT plans on the fake: what the builder is told, and the whole way from build to automatic choice."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from engines.build import Plan, bench, build, make_plans, verify
from engines.crops import ClipSet, FaceClip
from engines.graphs.cast_first import cast_first
from engines.progress import Steps
from engines.store import EngineStore
from engines.tensorrt_build import _build, write_plans
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.engine_record import Precision
from tests.support.bundles import SIZE, add_attention_graph, replace_graph
from tests.support.conv_bundles import conv_encoder, moving_bytes, write_conv_bundle
from tests.support.gpu.fake_gpu import BuilderFlag, FakeGpu, Network, NetworkDefinitionCreationFlag, Status, install

VERSION = "11.4.0.106"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    gpu = install(monkeypatch, VERSION)
    for module in ("engines.build", "streamaffect.runtime.choice", "streamaffect.runtime.engine_cache"):
        monkeypatch.setattr(f"{module}.backend_version", lambda backend: VERSION)
    monkeypatch.setattr("streamaffect.runtime.tensorrt.probe", lambda: "NVIDIA Fake (9.0)")
    return gpu


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_conv_bundle(tmp_path / "bundle"))


@pytest.fixture
def clips() -> ClipSet:
    rng = np.random.default_rng(0)
    clip = FaceClip(rng.integers(0, 256, (20, SIZE, SIZE, 3), np.uint8), [i * 0.08 for i in range(20)])
    return ClipSet("noise", [clip], [clip])


def networks(
    gpu: FakeGpu, bundle: Bundle, clips: ClipSet, folder: Path, precision: Precision, max_batch: int = 6
) -> list[Network]:
    folder.mkdir()
    write_plans(bundle, precision, max_batch, clips, folder, cache=folder)
    return gpu.networks


def test_networks_are_strongly_typed_without_tf32(gpu: FakeGpu, bundle: Bundle, clips: ClipSet, tmp_path: Path) -> None:
    for network in networks(gpu, bundle, clips, tmp_path / "w", "fp32"):
        assert network.flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        assert network.config is not None
        assert network.config.cleared == [BuilderFlag.TF32]


def test_the_profile_runs_from_one_row_to_the_largest_batch(
    gpu: FakeGpu, bundle: Bundle, clips: ClipSet, tmp_path: Path
) -> None:
    frame, clip, head = networks(gpu, bundle, clips, tmp_path / "w", "fp32")
    assert frame.config and clip.config and head.config
    row = (SIZE, SIZE, 3)
    assert frame.config.profiles[0].shapes == {"crops": ((1, *row), (3, *row), (6, *row))}
    assert set(head.config.profiles[0].shapes) == {"clip", "context", "valid"}


def test_fp16_is_written_into_the_encoders_and_not_into_the_heads(
    gpu: FakeGpu, bundle: Bundle, clips: ClipSet, tmp_path: Path
) -> None:
    kinds = [
        {weight.data_type for weight in onnx.load_from_string(network.graph).graph.initializer}
        for network in networks(gpu, bundle, clips, tmp_path / "w", "fp16")
    ]
    half = onnx.TensorProto.FLOAT16
    assert half in kinds[0]
    assert half not in kinds[2]


def test_int8_is_written_into_the_frame_encoder(gpu: FakeGpu, bundle: Bundle, clips: ClipSet, tmp_path: Path) -> None:
    operators = [
        {node.op_type for node in onnx.load_from_string(network.graph).graph.node}
        for network in networks(gpu, bundle, clips, tmp_path / "w", "int8")
    ]
    assert "QuantizeLinear" in operators[0]
    assert "QuantizeLinear" not in operators[1] | operators[2]
    assert not list((tmp_path / "w").glob("*.int8"))


def test_timings_are_kept_for_the_next_build_and_for_this_gpu_alone(
    gpu: FakeGpu, bundle: Bundle, clips: ClipSet, tmp_path: Path
) -> None:
    for workspace in ("a", "b"):
        (tmp_path / workspace).mkdir()
        write_plans(bundle, "fp32", 4, clips, tmp_path / workspace, cache=tmp_path)
    (timings,) = tmp_path.glob(".timings-*")
    assert timings.read_bytes() == b"timed;" * 6
    assert timings.stat().st_mode & 0o777 == 0o600
    gpu.name = "NVIDIA Other"
    write_plans(bundle, "fp32", 4, clips, tmp_path / "a", cache=tmp_path)
    assert len(list(tmp_path.glob(".timings-*"))) == 2


@pytest.mark.usefixtures("gpu")
def test_a_graph_that_the_parser_refuses_is_named_with_its_reason(clips: ClipSet, tmp_path: Path) -> None:
    folder = write_conv_bundle(tmp_path / "bundle")
    model = conv_encoder()
    model.graph.node[3].op_type = "NoSuchOperator"
    replace_graph(folder, "frame_encoder", model)
    with pytest.raises(EngineError, match=r"frame_encoder: .*: NoSuchOperator: this operator is not supported$"):
        write_plans(load_bundle(folder), "fp32", 4, clips, tmp_path, cache=tmp_path)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_an_older_graph_that_moves_bytes_is_rewritten_and_gives_the_same(
    gpu: FakeGpu, clips: ClipSet, tmp_path: Path, precision: Precision
) -> None:
    folder = write_conv_bundle(tmp_path / "bundle")
    replace_graph(folder, "frame_encoder", moving_bytes())
    bundle = load_bundle(folder)
    assert list(bundle.obstacles) == ["frame_encoder"]
    assert "Transpose" in bundle.obstacles["frame_encoder"]
    network = networks(gpu, bundle, clips, tmp_path / "w", precision)[0]
    crops = clips.held_out[0].crops
    found = onnxruntime.InferenceSession(network.graph).run(["features"], {"crops": crops})[0]
    expected = onnxruntime.InferenceSession(moving_bytes().SerializeToString()).run(["features"], {"crops": crops})[0]
    assert np.abs(found - expected).max() <= {"fp32": 0.0, "fp16": 2e-3, "int8": 0.1}[precision]


def test_a_graph_that_computes_with_bytes_is_refused(tmp_path: Path) -> None:
    model = moving_bytes()
    model.graph.node[0].op_type = "Relu"
    del model.graph.node[0].attribute[:]
    with pytest.raises(EngineError, match=r"Relu .* computes with the bytes of crops"):
        cast_first(model)


def test_the_fake_refuses_bytes_that_are_moved_before_their_cast(gpu: FakeGpu, tmp_path: Path) -> None:
    """So that a test on the fake fails where the real one would."""
    trt = gpu.tensorrt()
    with pytest.raises(EngineError, match=r"cannot take the graph: Transpose.*: first input has type UInt8"):
        _build(trt, moving_bytes().SerializeToString(), 4, tmp_path / "timings", outputs={"features"})


def test_a_build_that_fails_leaves_nothing_in_the_cache(
    gpu: FakeGpu, bundle: Bundle, clips: ClipSet, private_engine_cache: Path
) -> None:
    gpu.broken["build"] = Status.cudaErrorMemoryAllocation
    store = EngineStore(private_engine_cache)
    plan = Plan("tensorrt", "fp32", 4, "CUDA")
    with store.locked(on_wait=lambda: None), pytest.raises(EngineError, match="cannot build it"):
        build(store, bundle, plan, clips, rebuild=False, progress=Steps())
    assert [entry.name for entry in private_engine_cache.iterdir() if entry.is_dir()] == []


def test_every_precision_is_built_verified_measured_and_chosen(
    gpu: FakeGpu, bundle: Bundle, clips: ClipSet, private_engine_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, steps = EngineStore(private_engine_cache), Steps()
    plans = make_plans("tensorrt", "auto", max_batch=4)
    assert [plan.precision for plan in plans] == ["fp32", "fp16", "int8"]
    with store.locked(on_wait=lambda: None):
        engines = [build(store, bundle, plan, clips, rebuild=False, progress=steps) for plan in plans]
        engines = [verify(store, bundle, engine, clips, progress=steps) for engine in engines]
        assert [engine.is_verified for engine in engines[:2]] == [True, True]
        measured = bench(store, bundle, engines, batches=[1], threads=[1], seconds=0, cold=False)
    assert [engine.record.key.device for engine in measured] == ["NVIDIA Fake (9.0)"] * 3
    assert [sorted(engine.record.graphs) for engine in measured] == [
        ["clip_encoder", "context_head", "frame_encoder"]
    ] * 3
    info = open_engine(bundle, "tensorrt", precision="fp16").info
    assert (str(info), info.reason.partition(":")[0]) == ("tensorrt CUDA fp16", "asked for by --engine tensorrt")


def test_an_engine_of_another_gpu_is_not_taken(
    gpu: FakeGpu, bundle: Bundle, clips: ClipSet, private_engine_cache: Path
) -> None:
    store, steps = EngineStore(private_engine_cache), Steps()
    with store.locked(on_wait=lambda: None):
        engine = build(store, bundle, Plan("tensorrt", "fp32", 4, "CUDA"), clips, rebuild=False, progress=steps)
        engine = verify(store, bundle, engine, clips, progress=steps)
        bench(store, bundle, [engine], batches=[1], threads=[1], seconds=0, cold=False)
    gpu.name = "NVIDIA Other"
    assert open_engine(bundle).info.backend == "onnxruntime"
    with pytest.raises(EngineError, match=r"no verified tensorrt engine .* engines build --backend tensorrt"):
        open_engine(bundle, "tensorrt")


def test_an_output_that_the_stream_does_not_read_is_left_out_of_the_plan(
    gpu: FakeGpu, clips: ClipSet, tmp_path: Path, private_engine_cache: Path
) -> None:
    """A running plan needs memory for each of its outputs: one that nobody knows of would keep it from running."""
    folder = write_conv_bundle(tmp_path / "more")
    model = conv_encoder()
    model.graph.output.append(onnx.helper.make_tensor_value_info("c", onnx.TensorProto.FLOAT, ["N", 8, 8, 8]))
    replace_graph(folder, "frame_encoder", model)
    bundle = load_bundle(folder)
    store = EngineStore(private_engine_cache)
    with store.locked(on_wait=lambda: None):
        engine = build(store, bundle, Plan("tensorrt", "fp32", 4, "CUDA"), clips, rebuild=False, progress=Steps())
        assert verify(store, bundle, engine, clips, progress=Steps()).is_verified
    assert [value.name for value in onnx.load_from_string(gpu.networks[0].graph).graph.output] == ["features"]


def test_a_graph_beside_the_stream_gets_no_plan(clips: ClipSet, gpu: FakeGpu, tmp_path: Path) -> None:
    folder = write_conv_bundle(tmp_path / "with map")
    add_attention_graph(folder)
    (tmp_path / "w").mkdir()
    plans, layers = write_plans(load_bundle(folder), "fp16", 4, clips, tmp_path / "w", cache=tmp_path)
    assert set(plans) == set(layers) == {"frame_encoder", "clip_encoder", "context_head"}
    assert layers["frame_encoder"] == {"fp16": 3}
