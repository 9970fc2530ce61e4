"""The TensorRT backend on a fake GPU that computes with ONNX Runtime: numbers, batches, recordings, buffers, errors."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.cuda import device_name
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.tensorrt import TensorRtEngine, import_tensorrt, probe
from tests.support.bundles import DIM, SIZE
from tests.support.conv_bundles import write_conv_bundle
from tests.support.gpu.fake_gpu import FakeGpu, Status, fake_plan, install, open_fake_engine

MAX_BATCH = 4


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    return install(monkeypatch)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_conv_bundle(tmp_path / "bundle"))


def plans(bundle: Bundle) -> dict[str, bytes]:
    return {role: fake_plan(bundle.graph_path(role).read_bytes(), MAX_BATCH) for role in bundle.manifest.graphs}


def make_engine(bundle: Bundle) -> TensorRtEngine:
    return open_fake_engine(bundle, max_batch=MAX_BATCH)


def crops(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, SIZE, SIZE, 3), np.uint8)


@pytest.mark.parametrize("rows", [1, 3, MAX_BATCH, MAX_BATCH + 1, 3 * MAX_BATCH])
@pytest.mark.usefixtures("gpu")
def test_every_batch_size_gives_the_numbers_of_onnxruntime(bundle: Bundle, rows: int) -> None:
    engine, reference = make_engine(bundle), OnnxRuntimeEngine(bundle)
    rng = np.random.default_rng(1)
    features = rng.random((rows, 4, DIM), np.float32)
    clip, context = rng.random((rows, DIM), np.float32), rng.random((rows, 3, DIM), np.float32)
    valid = rng.random((rows, 3)) > 0.3
    valid[:, 0] = True
    assert np.allclose(engine.encode_frames(crops(rows)), reference.encode_frames(crops(rows)), atol=1e-5)
    assert np.allclose(engine.encode_clips(features), reference.encode_clips(features), atol=1e-5)
    expected, found = reference.run_heads(clip, context, valid), engine.run_heads(clip, context, valid)
    assert list(found) == list(expected)
    assert all(np.allclose(found[name], expected[name], atol=1e-5) for name in expected)


def test_a_batch_size_is_recorded_once_and_then_only_launched(bundle: Bundle, gpu: FakeGpu) -> None:
    engine = make_engine(bundle)
    engine.encode_frames(crops(2))
    before = len(gpu.calls)
    engine.encode_frames(crops(2, seed=1))
    assert gpu.calls[before:] == ["cudaGraphLaunch", "cudaStreamSynchronize"]


def test_batch_sizes_take_turns_without_being_recorded_again(bundle: Bundle, gpu: FakeGpu) -> None:
    engine, reference = make_engine(bundle), OnnxRuntimeEngine(bundle)
    for rows in (1, 2, 1, 3, 2, 1):
        assert np.allclose(engine.encode_frames(crops(rows, rows)), reference.encode_frames(crops(rows, rows)))
    counts = Counter(gpu.calls)
    assert counts["cudaStreamBeginCapture"] == 3 + 2  # batches 1, 2 and 3 of the encoder; warm-up of the other graphs


def test_nothing_is_allocated_after_the_start(bundle: Bundle, gpu: FakeGpu) -> None:
    engine = make_engine(bundle)
    before = dict(gpu.memory)
    for rows in (1, 2, 3):
        engine.encode_frames(crops(rows))
    assert gpu.memory == before


def test_results_stay_as_they_are_when_the_next_call_comes(bundle: Bundle, gpu: FakeGpu) -> None:
    engine = make_engine(bundle)
    first = engine.encode_frames(crops(1, 1))
    kept = first.copy()
    engine.encode_frames(crops(1, 2))
    assert np.array_equal(first, kept)


def test_closing_frees_all_memory_and_may_be_repeated(bundle: Bundle, gpu: FakeGpu) -> None:
    engine = make_engine(bundle)
    engine.encode_frames(crops(3))
    engine.close()
    engine.close()
    assert gpu.memory == {}
    counts = Counter(gpu.calls)
    assert counts["cudaGraphExecDestroy"] == counts["cudaGraphInstantiate"]


def test_a_plan_that_tensorrt_refuses_is_one_clear_error_and_leaks_nothing(bundle: Bundle, gpu: FakeGpu) -> None:
    damaged = plans(bundle) | {"context_head": b"other version"}
    with pytest.raises(EngineError, match=r"context_head: TensorRT 11\.4\.0\.106 refuses this plan"):
        TensorRtEngine(bundle, reason="test", precision="fp32", max_batch=MAX_BATCH, plans=damaged)
    assert gpu.memory == {}


@pytest.mark.usefixtures("gpu")
def test_a_plan_of_another_graph_is_refused(bundle: Bundle) -> None:
    swapped = plans(bundle) | {"frame_encoder": plans(bundle)["clip_encoder"]}
    with pytest.raises(EngineError, match="the plan has"):
        TensorRtEngine(bundle, reason="test", precision="fp32", max_batch=MAX_BATCH, plans=swapped)


def test_a_batch_beyond_the_profile_is_refused(bundle: Bundle, gpu: FakeGpu) -> None:
    engine = TensorRtEngine(bundle, reason="test", precision="fp32", max_batch=2 * MAX_BATCH, plans=plans(bundle))
    with pytest.raises(EngineError, match="does not fit the plan"):
        engine.encode_frames(crops(MAX_BATCH + 1))


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("cudaMalloc", Status.cudaErrorMemoryAllocation),
        ("cudaMallocHost", Status.cudaErrorMemoryAllocation),
        ("cudaStreamEndCapture", Status.cudaErrorStreamCaptureInvalidated),
        ("cudaGraphInstantiate", Status.cudaErrorInvalidValue),
    ],
)
def test_a_cuda_error_at_the_start_is_named_and_nothing_stays_allocated(
    bundle: Bundle, gpu: FakeGpu, call: str, status: Status
) -> None:
    gpu.broken[call] = status
    with pytest.raises(EngineError, match=f"CUDA: the fake says {status.name}"):
        make_engine(bundle)
    assert gpu.memory == {}


def test_a_cuda_error_while_running_is_named(bundle: Bundle, gpu: FakeGpu) -> None:
    engine = make_engine(bundle)
    gpu.broken["cudaGraphLaunch"] = Status.cudaErrorInvalidValue
    with pytest.raises(EngineError, match="cudaErrorInvalidValue"):
        engine.encode_frames(crops(1))


def test_without_a_gpu_tensorrt_is_never_asked(bundle: Bundle, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu.devices = 0
    monkeypatch.setitem(sys.modules, "tensorrt", None)  # importing it would fail with another message
    with pytest.raises(EngineError, match="no NVIDIA GPU in this machine"):
        make_engine(bundle)


def test_an_old_driver_is_named(gpu: FakeGpu) -> None:
    gpu.broken["cudaGetDeviceCount"] = Status.cudaErrorInsufficientDriver
    with pytest.raises(EngineError, match=r"no usable NVIDIA GPU: .*InsufficientDriver.* driver"):
        device_name()


def test_the_gpu_is_named_with_its_compute_capability(gpu: FakeGpu) -> None:
    assert device_name() == "NVIDIA Fake (9.0)"


@pytest.mark.parametrize("version", ["10.15.1", "8.6.0"])
def test_an_old_tensorrt_is_refused(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", gpu.tensorrt(version))
    with pytest.raises(EngineError, match=f"TensorRT {version} is too old, 10.16 is the first"):
        import_tensorrt()


def test_a_missing_tensorrt_is_named_with_its_command(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(EngineError, match=r"pip install 'streamaffect\[tensorrt\]'"):
        import_tensorrt()


@pytest.mark.usefixtures("gpu")
def test_the_probe_survives_a_tensorrt_that_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamaffect.runtime.tensorrt.backend_version", lambda backend: "11.4.0.106")
    monkeypatch.setattr(
        "streamaffect.runtime.tensorrt._PROBE", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    )
    with pytest.raises(EngineError, match=r"does not start on NVIDIA Fake \(9.0\) \(ended with status -11\)"):
        probe()


@pytest.mark.usefixtures("gpu")
def test_the_probe_names_the_gpu_where_tensorrt_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamaffect.runtime.tensorrt.backend_version", lambda backend: "11.4.0.106")
    monkeypatch.setattr("streamaffect.runtime.tensorrt._PROBE", "print('sound')")
    assert probe() == "NVIDIA Fake (9.0)"
