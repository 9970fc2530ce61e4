"""ONNX Runtime on a GPU: planned where its CUDA provider is there, built, verified, measured and considered by `auto`.

The provider is claimed by a list and computes on the CPU; the GPU is the fake one.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from engines.build import Plan, bench, build, make_plans, verify
from engines.crops import ClipSet, FaceClip
from engines.progress import Steps
from engines.store import EngineStore
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.engine_cache import CachedEngine
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from tests.support.bundles import SIZE, write_bundle
from tests.support.gpu.engine_entries import rewrite
from tests.support.gpu.fake_gpu import FakeGpu, install

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
PLAN = Plan("onnxruntime", "fp32", 8, "CUDA")


class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
    """A session that says it runs where it was asked to run, if the provider starts."""

    starts = True

    def __init__(self, model: Any, options: Any, *, providers: list[str]) -> None:
        super().__init__(model, options, providers=[CPU])
        self._asked = providers

    def get_providers(self) -> list[str]:
        return [*self._asked, CPU] if self.starts else [CPU]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr("engines.build.backend_version", lambda name: "1.31.1" if name == "onnxruntime" else None)
    monkeypatch.setattr("streamaffect.runtime.engine_cache.backend_version", lambda _: "1.31.1")
    return install(monkeypatch)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


def built(bundle: Bundle, root: Path) -> CachedEngine:
    """Built, verified and measured, on the fake provider."""
    crops = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, 3), np.uint8)
    clips = ClipSet("noise", [], [FaceClip(crops, [i * 0.08 for i in range(12)])])
    store, steps = EngineStore(root), Steps()
    with store.locked(on_wait=lambda: None):
        engine = build(store, bundle, PLAN, clips, rebuild=False, progress=steps)
        engine = verify(store, bundle, engine, clips, progress=steps)
        (engine,) = bench(store, bundle, [engine], batches=[1], threads=[1], seconds=0, cold=False)
    return engine


@pytest.mark.usefixtures("gpu")
def test_the_provider_is_planned_where_it_is_there() -> None:
    assert [plan.title for plan in make_plans("auto", "auto", max_batch=8)] == [
        "onnxruntime CPU int8",
        "onnxruntime CUDA fp32",
    ]
    assert PLAN in make_plans("onnxruntime", "fp32", max_batch=8)


def test_without_the_provider_it_is_not_planned() -> None:
    assert CUDA not in onnxruntime.get_available_providers(), "this test is for the CPU's ONNX Runtime"
    assert all(plan.provider == "CPU" for plan in make_plans("onnxruntime", "auto", max_batch=8))


def test_auto_takes_it_where_it_is_verified_and_the_fastest(
    bundle: Bundle, gpu: FakeGpu, private_engine_cache: Path
) -> None:
    engine = built(bundle, private_engine_cache)
    assert engine.is_verified
    assert engine.record.key.device == "NVIDIA Fake (9.0)"
    rewrite(engine.folder / "bench.json", frame_ms=1.0, reference_frame_ms=3.0)
    info = open_engine(bundle).info
    assert str(info) == "onnxruntime CUDA fp32"
    assert info.reason.startswith("auto: 3.0 times as fast")
    rewrite(engine.folder / "bench.json", frame_ms=3.0, reference_frame_ms=1.0)
    assert str(open_engine(bundle).info) == "onnxruntime CPU fp32"


def test_on_another_gpu_it_is_not_taken(bundle: Bundle, gpu: FakeGpu, private_engine_cache: Path) -> None:
    rewrite(built(bundle, private_engine_cache).folder / "bench.json", frame_ms=1.0, reference_frame_ms=3.0)
    gpu.name = "NVIDIA Other"
    info = open_engine(bundle).info
    assert str(info) == "onnxruntime CPU fp32"
    assert "built for NVIDIA Fake (9.0)" in info.reason


@pytest.mark.usefixtures("gpu")
def test_a_provider_that_does_not_start_is_refused_and_not_replaced(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "starts", False)
    with pytest.raises(EngineError, match=f"{CUDA} did not start"):
        OnnxRuntimeEngine(bundle, provider="CUDA")


def test_an_onnxruntime_without_the_provider_names_the_package(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match=f"no {CUDA}; pip install onnxruntime-gpu in place of onnxruntime"):
        OnnxRuntimeEngine(bundle, provider="CUDA")
