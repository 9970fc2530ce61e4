"""When TensorRT for RTX is taken: after TensorRT, before the processor, and only where it was verified on this card."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engines.store import EngineStore
from streamaffect.errors import EngineError
from streamaffect.runtime import cuda
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import current_device, exact_device, objection, open_engine
from streamaffect.runtime.engine_cache import CachedEngine, load_entry
from streamaffect.runtime.engine_record import BENCH_FILE, TARGETS, VERIFY_FILE, EngineKey, Precision
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.version import SOFTWARE
from tests.support.bundles import SIZE, frame_encoder, write_bundle
from tests.support.gpu.engine_entries import make_key, publish, ready
from tests.support.gpu.fake_gpu import FakeGpu, Status, install

VERSION = "0.5.0"
HERE = "NVIDIA GeForce RTX 4090 (8.9), driver 580.95.05"
GRAPHS = {"frame_encoder": frame_encoder(SIZE).SerializeToString()}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeGpu:
    """A GeForce card with its driver and the package."""
    gpu = install(monkeypatch)
    gpu.name, gpu.capability = "NVIDIA GeForce RTX 4090", "8.9"
    facts = tmp_path / "driver"
    facts.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 10:11:16 UTC 2026\n")
    monkeypatch.setattr(cuda, "DRIVER_FACTS", facts)
    known = {"tensorrt_rtx": VERSION, "tensorrt": "11.4.0", "onnxruntime": "1.31.1"}
    for module in ("choice", "engine_cache"):
        monkeypatch.setattr(f"streamaffect.runtime.{module}.backend_version", known.get)
    return gpu


class OnTheCpu(OnnxRuntimeEngine):
    """In place of the engine on the card; takes what that takes."""

    opened: list[Mapping[str, Any]]

    def __init__(self, bundle: Bundle, **more: Any) -> None:
        self.opened.append(more)
        super().__init__(bundle, reason=f"on the card: {more['reason']}")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """What engines on the card are opened with."""
    OnTheCpu.opened = []
    monkeypatch.setattr("streamaffect.runtime.tensorrt_rtx.engine.TensorRtRtxEngine", OnTheCpu)
    return OnTheCpu.opened


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def root(private_engine_cache: Path) -> Path:
    return private_engine_cache


def key_of(
    bundle: Bundle,
    *,
    device: str = HERE,
    precision: Precision = "fp16",
    version: str = VERSION,
    software: str = SOFTWARE,
    flags: dict[str, str] | None = None,
) -> EngineKey:
    return make_key(
        bundle,
        backend="tensorrt_rtx",
        precision=precision,
        provider="CUDA",
        version=version,
        device=device,
        max_batch=4,
        software=software,
        flags=flags,
    )


def ahead_of_time(bundle: Bundle, root: Path, *, targets: str = "8.6,8.9", seen_on: str = "") -> CachedEngine:
    """An engine for several cards; its reports were made on `seen_on`."""
    key = key_of(bundle, device=f"compute capability {targets.replace(',', ', ')}", flags={TARGETS: targets})
    engine = ready(root, key, speedup=9.0, graphs=GRAPHS)
    if engine.verify and engine.bench:
        EngineStore(root).attach(engine, VERIFY_FILE, msgspec.structs.replace(engine.verify, device=seen_on))
        EngineStore(root).attach(engine, BENCH_FILE, msgspec.structs.replace(engine.bench, device=seen_on))
    return load_entry(engine.folder)


@pytest.mark.usefixtures("gpu")
def test_it_comes_before_the_processor_even_where_that_is_faster(
    bundle: Bundle, root: Path, opened: list[Mapping[str, Any]]
) -> None:
    ready(root, key_of(bundle), speedup=2.0, graphs=GRAPHS)
    ready(root, make_key(bundle, version="1.31.1"), speedup=3.0, graphs=GRAPHS)
    reason = open_engine(bundle).info.reason
    assert reason.startswith("on the card: auto: 2.0 times as fast")
    (settings,) = opened
    assert (settings["precision"], settings["max_batch"], settings["graphs"]) == ("fp16", 4, GRAPHS)
    assert settings["runtime_cache"].parent.parent == root


@pytest.mark.usefixtures("gpu", "opened")
def test_tensorrt_comes_first_and_the_fastest_first_among_equals(
    bundle: Bundle, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refuses:
        def __init__(self, bundle: Bundle, *, precision: str, **more: Any) -> None:
            raise EngineError(f"{precision} is not for today")

    monkeypatch.setattr("streamaffect.runtime.tensorrt.TensorRtEngine", Refuses)
    gpu = "NVIDIA GeForce RTX 4090 (8.9)"
    own = make_key(bundle, backend="tensorrt", precision="fp32", provider="CUDA", version="11.4.0", device=gpu)
    ready(root, own, speedup=2.0, graphs=GRAPHS)
    ready(root, key_of(bundle, precision="int8"), speedup=4.0, graphs=GRAPHS)
    ready(root, key_of(bundle, precision="fp16"), speedup=5.0, graphs=GRAPHS)
    reason = open_engine(bundle).info.reason
    assert reason.startswith("on the card: auto: 5.0 times")
    assert reason.endswith("; tensorrt CUDA fp32 does not load")


@pytest.mark.usefixtures("gpu")
def test_one_that_fails_is_told_and_the_next_one_runs(
    bundle: Bundle, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The real engine: without the package, or with it and without a driver, it is refused in one line."""
    ready(root, key_of(bundle), speedup=9.0, graphs=GRAPHS)
    ready(root, make_key(bundle, version="1.31.1"), speedup=3.0, graphs=GRAPHS)
    with caplog.at_level(logging.WARNING):
        info = open_engine(bundle).info
    assert str(info) == "onnxruntime CPU int8"
    assert "tensorrt_rtx CUDA fp16 does not load" in info.reason
    (line,) = caplog.messages
    assert line.startswith("tensorrt_rtx CUDA fp16 is passed over: ")
    with pytest.raises(EngineError):
        open_engine(bundle, "tensorrt_rtx")


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_context_is_passed_over(bundle: Bundle, root: Path, gpu: FakeGpu, damage: str) -> None:
    engine = ready(root, key_of(bundle), speedup=9.0, graphs=GRAPHS)
    file = engine.folder / "frame_encoder.onnx"
    content = file.read_bytes()
    file.write_bytes(content[:-7] if damage == "truncated" else content[:40] + bytes([content[40] ^ 1]) + content[41:])
    info = open_engine(bundle).info
    assert str(info) == "onnxruntime CPU fp32"
    assert "does not load" in info.reason
    with pytest.raises(EngineError, match="sha256"):
        open_engine(bundle, "tensorrt_rtx")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"version": "0.4.0"}, "built with tensorrt_rtx 0.4.0, 0.5.0 is installed"),
        ({"device": "NVIDIA GeForce RTX 5090 (12.0), driver 580.95.05"}, "built for NVIDIA GeForce RTX 5090"),
        ({"device": HERE.replace("580.95.05", "575.51")}, "built for NVIDIA GeForce RTX 4090 (8.9), driver 575.51"),
        ({"software": "streamaffect 0.0.1"}, "built by streamaffect 0.0.1"),
    ],
    ids=["version", "card", "driver", "software"],
)
@pytest.mark.usefixtures("gpu", "opened")
def test_what_was_built_for_anything_else_is_passed_over(
    bundle: Bundle, root: Path, change: dict[str, Any], expected: str
) -> None:
    ready(root, key_of(bundle, **change), speedup=9.0, graphs=GRAPHS)
    info = open_engine(bundle).info
    assert str(info) == "onnxruntime CPU fp32"
    assert expected in info.reason


@pytest.mark.usefixtures("opened")
def test_without_a_usable_driver_it_is_passed_over(bundle: Bundle, root: Path, gpu: FakeGpu) -> None:
    ready(root, key_of(bundle), speedup=9.0, graphs=GRAPHS)
    gpu.broken["cudaGetDeviceCount"] = Status.cudaErrorInsufficientDriver
    info = open_engine(bundle).info
    assert str(info) == "onnxruntime CPU fp32"
    assert "tensorrt_rtx CUDA fp16: no usable NVIDIA GPU" in info.reason


@pytest.mark.usefixtures("gpu", "opened")
def test_an_engine_of_another_user_is_not_loaded(bundle: Bundle, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready(root, key_of(bundle), speedup=9.0, graphs=GRAPHS)
    monkeypatch.setattr("os.getuid", lambda: 12345)
    assert str(open_engine(bundle).info) == "onnxruntime CPU fp32"


@pytest.mark.usefixtures("gpu")
def test_a_named_backend_that_was_not_built_names_the_command(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match=r"no verified tensorrt_rtx engine .* engines build --backend tensorrt_rtx$"):
        open_engine(bundle, "tensorrt_rtx")


@pytest.mark.usefixtures("opened")
def test_an_engine_for_several_cards_counts_where_it_was_verified(bundle: Bundle, root: Path, gpu: FakeGpu) -> None:
    engine = ahead_of_time(bundle, root, seen_on=HERE)
    assert engine.record.key.title == "tensorrt_rtx CUDA fp16 for 8.6, 8.9"
    assert objection(engine) is None
    assert open_engine(bundle).info.reason.startswith("on the card")
    gpu.name = "NVIDIA GeForce RTX 4060"
    assert objection(engine) == "verified or measured on another machine"
    assert str(open_engine(bundle).info) == "onnxruntime CPU fp32"


def test_an_engine_for_other_cards_is_not_taken(bundle: Bundle, root: Path, gpu: FakeGpu) -> None:
    gpu.capability = "12.0"
    engine = ahead_of_time(bundle, root, seen_on=exact_device(key_of(bundle)))
    assert objection(engine) == "built for compute capability 8.6, 8.9"


def test_the_same_engine_keeps_what_each_card_makes_of_it_apart(
    bundle: Bundle, root: Path, gpu: FakeGpu, opened: list[Mapping[str, Any]]
) -> None:
    for gpu.name in ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4060", "NVIDIA GeForce RTX 4090"):
        ahead_of_time(bundle, root, seen_on=exact_device(key_of(bundle)))
        open_engine(bundle)
    first, second, third = (settings["runtime_cache"] for settings in opened)
    assert first == third != second


def test_the_device_of_a_key_holds_the_driver_and_falls_back_to_what_cuda_says(
    bundle: Bundle, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert current_device(key_of(bundle)) == HERE
    monkeypatch.setattr(cuda, "DRIVER_FACTS", tmp_path / "not there, as in WSL")
    assert current_device(key_of(bundle)) == "NVIDIA GeForce RTX 4090 (8.9), driver CUDA 13.4"
    plain = make_key(bundle, backend="tensorrt", provider="CUDA")
    assert current_device(plain) == "NVIDIA GeForce RTX 4090 (8.9)"


def test_an_engine_for_this_machine_has_no_targets(bundle: Bundle, root: Path) -> None:
    engine = publish(root, make_key(bundle))
    assert engine.record.key.targets == ()
