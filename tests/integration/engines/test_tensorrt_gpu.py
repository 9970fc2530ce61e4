"""The real TensorRT, wherever an NVIDIA GPU and TensorRT are installed: build, parity, choice, memory on the device.

Faces are found in the demo clip, or taken from a file of `benchmarks/gpu/prepare.py` that STREAMAFFECT_GPU_CLIPS names,
where MediaPipe is not at hand.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu.prepare import read_clips
from engines.build import bench, build, make_plans, verify
from engines.crops import ClipSet, collect_clips
from engines.progress import Steps
from engines.store import EngineStore
from streamaffect.affect.estimate import Estimator, Observation
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_cached, open_engine
from streamaffect.runtime.device_clips import DeviceClips
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.tensorrt import TensorRtEngine, probe

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1200)]


def faces_for(bundle: Bundle) -> ClipSet:
    packed = os.environ.get("STREAMAFFECT_GPU_CLIPS")
    return read_clips(Path(packed)) if packed else collect_clips(bundle)


@pytest.fixture(autouse=True)
def tensorrt_here() -> None:
    try:
        probe()
    except EngineError as error:
        pytest.skip(str(error))


def test_the_shipped_bundle_is_built_verified_and_chosen(private_engine_cache: Path) -> None:
    bundle, store, steps = load_bundle(), EngineStore(private_engine_cache), Steps()
    clips = faces_for(bundle)
    with store.locked(on_wait=lambda: None):
        engines = [
            build(store, bundle, plan, clips, rebuild=False, progress=steps)
            for plan in make_plans("tensorrt", "auto", max_batch=8)
        ]
        engines = [verify(store, bundle, engine, clips, progress=steps) for engine in engines]
        bench(store, bundle, engines, batches=[1, 8], threads=[1], seconds=1, cold=True)
    assert engines[0].is_verified
    assert open_engine(bundle, "tensorrt").info.provider == "CUDA"


@pytest.mark.parametrize("rows", [1, 2, 5, 8, 19])
def test_fp32_plans_give_the_numbers_of_onnxruntime(private_engine_cache: Path, rows: int) -> None:
    bundle, store = load_bundle(), EngineStore(private_engine_cache)
    clips = faces_for(bundle)
    (plan,) = make_plans("tensorrt", "fp32", max_batch=8)
    with store.locked(on_wait=lambda: None):
        cached = build(store, bundle, plan, clips, rebuild=False, progress=Steps())
    engine = open_cached(bundle, cached, "test", 1)
    size = bundle.manifest.crop.size
    crops = np.random.default_rng(rows).integers(0, 256, (rows, size, size, 3), np.uint8)
    assert np.allclose(engine.encode_frames(crops), OnnxRuntimeEngine(bundle).encode_frames(crops), atol=1e-3)
    engine.close()


def test_features_and_clips_in_the_gpus_memory_give_the_estimates_of_onnxruntime(private_engine_cache: Path) -> None:
    """Up to eleven faces in calls of four, over as many frames as the context is long."""
    bundle, store = load_bundle(), EngineStore(private_engine_cache)
    (plan,) = make_plans("tensorrt", "fp32", max_batch=4)
    with store.locked(on_wait=lambda: None):
        cached = build(store, bundle, plan, faces_for(bundle), rebuild=False, progress=Steps())
    engine = open_cached(bundle, cached, "test", 1)
    assert isinstance(engine, TensorRtEngine)
    clips = DeviceClips(engine, bundle, first_rows=16)
    on_device, on_host = Estimator(bundle, clips), Estimator(bundle, OnnxRuntimeEngine(bundle))
    rng, size = np.random.default_rng(0), bundle.manifest.crop.size
    for frame in range(60):
        faces = rng.integers(0, 256, (1 + frame % 11, size, size, 3), np.uint8)
        seen = [Observation(("s", track), frame * 0.08, crop) for track, crop in enumerate(faces)]
        for found, expected in zip(on_device.step(seen).predictions, on_host.step(seen).predictions, strict=True):
            for name, values in expected.heads.items():
                assert np.allclose(found.heads[name], values, atol=1e-3), (frame, found.key, name)
    clips.close()
