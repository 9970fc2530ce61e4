"""Features and clips in the memory of a fake GPU: the estimates of the host, rows that come back, room that grows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamaffect.affect.estimate import Estimator, Observation, Prediction
from streamaffect.errors import ConfigError, EngineError
from streamaffect.pipeline.opening import open_stream_engine
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.cuda import CudaStream
from streamaffect.runtime.device_clips import DeviceClips
from streamaffect.runtime.device_rows import DeviceRows
from streamaffect.runtime.engine import RowEngine
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.settings import EngineSettings
from tests.support.bundles import SIZE, write_bundle
from tests.support.gpu.engine_entries import make_key, ready
from tests.support.gpu.fake_gpu import CopyKind, FakeGpu, Status, fake_plan, install, open_fake_engine

PERIOD_S = 0.08
FRAMES, PAST, FUTURE = 2, 2, 1
CLIP_S = FRAMES * PERIOD_S
VERSION = "11.4.0.106"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    return install(monkeypatch, VERSION)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle", frames=FRAMES, past=PAST, future=FUTURE))


@pytest.fixture
def engine(bundle: Bundle, gpu: FakeGpu) -> Iterator[DeviceClips]:
    """Room for four rows at first, and at most two rows in a call."""
    clips = DeviceClips(open_fake_engine(bundle, max_batch=2), bundle, first_rows=4)
    yield clips
    clips.close()
    assert gpu.memory == {}


def crop(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def see(estimator: Estimator, time_s: float, *tracks: int) -> list[Prediction]:
    """A step in which these tracks show a face of their own."""
    step = estimator.step([Observation(("s", track), time_s, crop(round(time_s * 1e3) + track)) for track in tracks])
    return step.predictions + step.refinements


def assert_same(found: list[Prediction], expected: list[Prediction]) -> None:
    assert [(made.key, made.time_s, made.coverage, made.context_fill, made.lookahead_s) for made in found] == [
        (made.key, made.time_s, made.coverage, made.context_fill, made.lookahead_s) for made in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert one.heads.keys() == other.heads.keys()
        for name, values in other.heads.items():
            np.testing.assert_allclose(one.heads[name], values, atol=1e-6)


def test_an_engine_with_a_memory_is_known_by_what_it_offers(bundle: Bundle, engine: DeviceClips) -> None:
    assert isinstance(engine, RowEngine)
    assert not isinstance(OnnxRuntimeEngine(bundle), RowEngine)
    assert engine.info.provider == "CUDA"
    assert engine.info.reason == "test; features and clips stay in the GPU's memory"


def test_faces_that_come_and_go_are_estimated_as_on_the_host_and_give_their_rows_back(
    bundle: Bundle, engine: DeviceClips
) -> None:
    """Up to six faces in calls of two, in a memory that had room for four rows."""
    on_device, on_host = Estimator(bundle, engine), Estimator(bundle, OnnxRuntimeEngine(bundle))
    rng = np.random.default_rng(4)
    for step in range(120):
        time_s = step * 0.04
        there = [track for track in range(6) if (step // 20 + track) % 3 != 0]
        tracks = [int(track) for track in rng.permutation(there)][: rng.integers(1, 7)]
        assert_same(see(on_device, time_s, *tracks), see(on_host, time_s, *tracks))
        if step % 20 == 19:
            for track in range(0, 6, 2):
                on_device.forget(("s", track))
                on_host.forget(("s", track))
    for track in range(6):
        on_device.forget(("s", track))
    assert engine.used == (0, 0)


def test_a_long_stream_needs_no_more_rows_than_its_clips_and_context(bundle: Bundle, engine: DeviceClips) -> None:
    estimator = Estimator(bundle, engine)
    most = (0, 0)
    for step in range(400):
        see(estimator, step * 0.04, 7)
        most = (max(most[0], engine.used[0]), max(most[1], engine.used[1]))
    features_s, clips_s = 2 * CLIP_S, (PAST + 1 + FUTURE) * CLIP_S + CLIP_S / 2
    assert most[0] <= features_s / 0.04 + 2
    assert most[1] <= clips_s / 0.04 + 2


def test_a_gap_longer_than_a_clip_gives_all_rows_of_before_back(bundle: Bundle, engine: DeviceClips) -> None:
    estimator = Estimator(bundle, engine)
    for step in range(10):
        see(estimator, step * 0.04, 7)
    assert min(engine.used) > 1
    see(estimator, 9 * 0.04 + CLIP_S + 0.01, 7)
    assert engine.used == (1, 1)


def test_a_hidden_face_keeps_its_rows_until_its_track_is_lost(bundle: Bundle, engine: DeviceClips) -> None:
    estimator = Estimator(bundle, engine)
    see(estimator, 0.0, 7)
    estimator.step([Observation(("s", 7), 0.04, None)])
    assert engine.used == (1, 2)
    estimator.forget(("s", 7))
    assert engine.used == (0, 0)


def test_only_crops_and_heads_travel_and_a_step_is_waited_for_once(
    bundle: Bundle, engine: DeviceClips, gpu: FakeGpu
) -> None:
    estimator = Estimator(bundle, engine)
    see(estimator, 0.0, 7)  # records this batch size, and fills the memory
    gpu.copies.clear()
    gpu.calls.clear()
    see(estimator, 0.04, 7)
    downloads = [size for kind, size in gpu.copies if kind is CopyKind.cudaMemcpyDeviceToHost]
    uploads = [size for kind, size in gpu.copies if kind is CopyKind.cudaMemcpyHostToDevice]
    assert sorted(downloads) == [2 * 4, 2 * 4, 3 * 4]  # affect, its spread, three emotions
    assert sorted(uploads) == [PAST + 1 + FUTURE, SIZE * SIZE * 3]  # validity and the crop
    assert gpu.calls.count("cudaStreamSynchronize") == 1
    assert gpu.calls.count("cudaGraphLaunch") == 3


def test_rows_that_follow_each_other_are_copied_at_once(gpu: FakeGpu) -> None:
    rows = DeviceRows(3, CudaStream(), rows=8)
    source, target = gpu.allocate(8 * 12), gpu.allocate(8 * 12)
    kept = rows.keep(source, 6)
    rows.gather(target, np.array([[kept[0, 0], kept[1, 0]], [kept[4, 0], kept[5, 0]]]))
    gpu.finish()
    assert [size for _, size in gpu.copies] == [6 * 12, 2 * 12, 2 * 12]


def test_more_rows_than_there_is_room_for_make_the_room_grow_and_keep_what_is_there(gpu: FakeGpu) -> None:
    stream = CudaStream()
    rows = DeviceRows(1, stream, rows=2)
    source, target = gpu.allocate(4), gpu.allocate(4 * 9)
    numbers = np.frombuffer(gpu.memory[source], np.float32)
    kept = []
    for number in range(9):
        numbers[0] = number
        kept.append(rows.keep(source, 1))
        stream.wait()
    rows.gather(target, np.concatenate(kept))
    stream.wait()
    assert np.frombuffer(gpu.memory[target], np.float32).tolist() == list(range(9))
    assert rows.used == 9
    rows.close()
    assert set(gpu.memory) == {source, target}


def test_a_gpu_without_room_is_one_error_that_says_what_to_do(
    bundle: Bundle, engine: DeviceClips, gpu: FakeGpu
) -> None:
    estimator = Estimator(bundle, engine)
    see(estimator, 0.0, 0, 1)
    gpu.broken["cudaMalloc"] = Status.cudaErrorMemoryAllocation
    with pytest.raises(
        EngineError, match=r"8 features or clips do not fit .*tracker\.max_faces.*engine\.device_clips off"
    ):
        see(estimator, 0.04, 0, 1, 2, 3)


def test_a_memory_that_cannot_be_had_at_the_start_leaks_nothing(bundle: Bundle, gpu: FakeGpu) -> None:
    engine = open_fake_engine(bundle, max_batch=2)
    before = set(gpu.memory)
    gpu.broken["cudaMallocHost"] = Status.cudaErrorMemoryAllocation
    with pytest.raises(EngineError, match="cudaErrorMemoryAllocation"):
        DeviceClips(engine, bundle)
    assert set(gpu.memory) == before


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_backend_without_a_gpus_memory_is_refused_as_a_setting(bundle: Bundle, backend: str) -> None:
    with pytest.raises(ConfigError, match=f"engine.device_clips = true: {backend} keeps no features"):
        open_stream_engine(bundle, EngineSettings(backend=backend, device_clips=True))  # type: ignore[arg-type]


def test_where_auto_takes_another_engine_that_is_said_with_its_reason(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match=r"needs a TensorRT engine, and onnxruntime CPU fp32 was taken \(auto: "):
        open_stream_engine(bundle, EngineSettings(device_clips=True))


@pytest.mark.parametrize("backend", ["auto", "tensorrt"])
@pytest.mark.usefixtures("gpu")
def test_with_a_tensorrt_engine_the_setting_puts_the_memory_around_it(
    bundle: Bundle, private_engine_cache: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    for module in ("streamaffect.runtime.choice", "streamaffect.runtime.engine_cache"):
        monkeypatch.setattr(f"{module}.backend_version", lambda _: VERSION)
    key = make_key(
        bundle, backend="tensorrt", precision="fp32", provider="CUDA", version=VERSION, device="NVIDIA Fake (9.0)",
        max_batch=4,
    )  # fmt: skip
    plans = {role: fake_plan(bundle.graph_path(role).read_bytes(), 4) for role in bundle.manifest.graphs}
    ready(private_engine_cache, key, speedup=3.0, graphs=plans)
    settings = EngineSettings(backend=backend, device_clips=True)  # type: ignore[arg-type]
    engine = open_stream_engine(bundle, settings)
    assert isinstance(engine, DeviceClips)
    assert str(engine.info) == "tensorrt CUDA fp32"
    assert engine.info.reason.endswith("; features and clips stay in the GPU's memory")
    engine.close()
