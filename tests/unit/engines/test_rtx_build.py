"""Building for TensorRT for RTX, from what is asked to what `auto` takes, with the processor in place of the card.

The process that compiles gives the graphs back as they are. tests/integration/engines asks the real library.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from engines import rtx_build
from engines.build import Plan, bench, build, make_key, make_plans, plan_ahead, verify
from engines.crops import ClipSet, FaceClip
from engines.progress import Steps
from engines.rtx_build import Job, write_contexts
from engines.store import EngineStore
from streamaffect.errors import EngineError
from streamaffect.runtime import cuda
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.onnxruntime import session_options
from streamaffect.runtime.tensorrt_rtx import engine as rtx_engine
from tests.support.bundles import SIZE, replace_graph
from tests.support.conv_bundles import conv_encoder, write_conv_bundle
from tests.support.gpu.engine_entries import rewrite
from tests.support.gpu.fake_gpu import FakeGpu, install

HERE = "NVIDIA GeForce RTX 4090 (8.9), driver 580.95.05"
TOLD = Plan("tensorrt_rtx", "fp16", 4, "CUDA")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeGpu:
    gpu = install(monkeypatch)
    gpu.name, gpu.capability = "NVIDIA GeForce RTX 4090", "8.9"
    (tmp_path / "driver").write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\n"
    )
    monkeypatch.setattr(cuda, "DRIVER_FACTS", tmp_path / "driver")
    known = {"tensorrt_rtx": "0.5.0", "onnxruntime": "1.31.1"}
    for module in ("engines.build", "streamaffect.runtime.choice", "streamaffect.runtime.engine_cache"):
        monkeypatch.setattr(f"{module}.backend_version", known.get)
    monkeypatch.setattr("streamaffect.runtime.tensorrt_rtx.plugin.probe", lambda: str(cuda.first_gpu()))
    monkeypatch.setattr(rtx_engine, "rtx_devices", lambda: ["the card"])
    monkeypatch.setattr(rtx_engine, "rtx_session_options", lambda devices, options: session_options(threads=1))
    return gpu


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Job, Mapping[str, str]]]:
    """What the process is told to do, and its environment; it gives graphs back as they are."""
    jobs: list[tuple[Job, Mapping[str, str]]] = []

    def run(job: Job, folder: Path, environment: Mapping[str, str]) -> None:
        jobs.append((job, environment))
        for role in job.outputs:
            suffix = "onnx" if role in job.options else "plan"
            (folder / f"{role}.{suffix}").write_bytes((folder / f"{role}.graph").read_bytes())

    monkeypatch.setattr(rtx_build, "_run", run)
    return jobs


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_conv_bundle(tmp_path / "bundle"))


@pytest.fixture
def clips() -> ClipSet:
    rng = np.random.default_rng(0)
    clip = FaceClip(rng.integers(0, 256, (20, SIZE, SIZE, 3), np.uint8), [i * 0.08 for i in range(20)])
    return ClipSet("noise", [clip], [clip])


@pytest.mark.usefixtures("gpu", "jobs")
def test_every_precision_is_built_verified_measured_and_chosen(
    bundle: Bundle, clips: ClipSet, private_engine_cache: Path
) -> None:
    store, steps = EngineStore(private_engine_cache), Steps()
    plans = make_plans("tensorrt_rtx", "auto", max_batch=4)
    assert [plan.title for plan in plans] == [f"tensorrt_rtx CUDA {name}" for name in ("fp32", "fp16", "int8")]
    with store.locked(on_wait=lambda: None):
        engines = [build(store, bundle, plan, clips, rebuild=False, progress=steps) for plan in plans]
        engines = [verify(store, bundle, engine, clips, progress=steps) for engine in engines]
        assert [engine.is_verified for engine in engines[:2]] == [True, True]
        measured = bench(store, bundle, engines, batches=[1], threads=[1], seconds=0, cold=False)
    assert {engine.record.key.device for engine in measured} == {HERE}
    assert {engine.record.key.max_batch for engine in measured} == {4}
    assert measured[1].record.layers["frame_encoder"] == {"fp16": 3}
    for engine in measured:
        assert {file.suffix for file in engine.folder.iterdir() if file.is_file()} == {".json", ".onnx"}
    info = open_engine(bundle, "tensorrt_rtx", precision="fp16").info
    assert (str(info), info.reason.partition(":")[0]) == (
        "tensorrt_rtx CUDA fp16",
        "asked for by --engine tensorrt_rtx",
    )
    rewrite(measured[0].folder / "bench.json", frame_ms=1.0, reference_frame_ms=9.0)
    assert open_engine(bundle).info.reason.startswith("auto: 9.0 times as fast")


@pytest.mark.usefixtures("gpu")
def test_the_plugin_compiles_for_the_card_that_is_here_and_fp32_is_fp32(
    bundle: Bundle, clips: ClipSet, tmp_path: Path, jobs: list[tuple[Job, Mapping[str, str]]]
) -> None:
    (tmp_path / "w").mkdir()
    files, _ = write_contexts(bundle, "fp32", 4, clips, tmp_path / "w", cache=tmp_path)
    ((job, environment),) = jobs
    assert {options["nv_target_sm"] for options in job.options.values()} == {"sm89"}
    assert job.options["frame_encoder"]["nv_profile_max_shapes"] == f"crops:4x{SIZE}x{SIZE}x3"
    assert environment["NVIDIA_TF32_OVERRIDE"] == "0"
    assert sorted((tmp_path / "w").iterdir()) == sorted(files.values())


def test_a_card_that_is_newer_than_our_list_is_asked_by_the_plugin_itself(
    bundle: Bundle, clips: ClipSet, tmp_path: Path, gpu: FakeGpu, jobs: list[tuple[Job, Mapping[str, str]]]
) -> None:
    gpu.capability = "13.0"
    write_contexts(bundle, "fp32", 4, clips, tmp_path, cache=tmp_path)
    assert all("nv_target_sm" not in options for options in jobs[0][0].options.values())


@pytest.mark.usefixtures("gpu", "jobs")
def test_an_output_that_the_stream_does_not_read_is_left_out(clips: ClipSet, tmp_path: Path) -> None:
    folder = write_conv_bundle(tmp_path / "more")
    model = conv_encoder()
    model.graph.output.append(onnx.helper.make_tensor_value_info("c", onnx.TensorProto.FLOAT, ["N", 8, 8, 8]))
    replace_graph(folder, "frame_encoder", model)
    (tmp_path / "w").mkdir()
    files, _ = write_contexts(load_bundle(folder), "fp32", 4, clips, tmp_path / "w", cache=tmp_path)
    assert [value.name for value in onnx.load(files["frame_encoder"]).graph.output] == ["features"]


def test_ahead_of_time_the_bindings_build_and_a_node_is_written_around_the_plan(
    bundle: Bundle,
    clips: ClipSet,
    tmp_path: Path,
    jobs: list[tuple[Job, Mapping[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rtx_build, "bindings_environment", lambda cache: {"PYTHONPATH": str(cache)})
    (tmp_path / "w").mkdir()
    files, _ = write_contexts(bundle, "fp32", 4, clips, tmp_path / "w", cache=tmp_path, targets=("8.6",))
    assert jobs[0][0].options == {}
    assert jobs[0][1] == {"PYTHONPATH": str(tmp_path)}
    assert sorted((tmp_path / "w").iterdir()) == sorted(files.values())
    (node,) = onnx.load(files["context_head"]).graph.node
    assert (node.op_type, node.domain, set(node.input)) == ("EPContext", "com.microsoft", {"clip", "context", "valid"})


def test_the_key_of_an_engine_for_others_says_for_what(
    bundle: Bundle, clips: ClipSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asks for no GPU."""
    monkeypatch.setattr("engines.build.backend_version", {"tensorrt_rtx": "0.5.0"}.get)
    plans = plan_ahead("tensorrt_rtx", "auto", max_batch=8, targets="8.9,8.6")
    assert [(plan.precision, plan.targets) for plan in plans] == [(p, ("8.6", "8.9")) for p in ("fp32", "fp16", "int8")]
    key = make_key(bundle, plans[2], clips)
    assert key.device == "compute capability 8.6, 8.9"
    assert key.flags == {"targets": "8.6,8.9", "calibration": clips.calibration_sha256[:16]}
    assert key.digest != make_key(bundle, plans[1], clips).digest


def test_without_the_packages_the_extra_that_builds_for_others_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.build.backend_version", lambda backend: None)
    with pytest.raises(EngineError, match=r"not installed; pip install 'streamaffect\[tensorrt-build\]'$"):
        plan_ahead("tensorrt_rtx", "auto", max_batch=8, targets="8.6")


def test_unasked_it_is_built_only_where_it_runs(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "tensorrt_rtx" in {plan.backend for plan in make_plans("auto", "auto", max_batch=4)}

    def refuse() -> str:
        raise EngineError("no NVIDIA driver here")

    monkeypatch.setattr("streamaffect.runtime.tensorrt_rtx.plugin.probe", refuse)
    assert "tensorrt_rtx" not in {plan.backend for plan in make_plans("auto", "auto", max_batch=4)}
    with pytest.raises(EngineError, match="no NVIDIA driver here"):
        make_plans("tensorrt_rtx", "auto", max_batch=4)


def test_a_build_that_fails_leaves_nothing_in_the_cache(
    gpu: FakeGpu, bundle: Bundle, clips: ClipSet, private_engine_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(job: Job, folder: Path, environment: Mapping[str, str]) -> None:
        raise EngineError("TensorRT for RTX ended its process with SIGSEGV")

    monkeypatch.setattr(rtx_build, "_run", refuse)
    store = EngineStore(private_engine_cache)
    with store.locked(on_wait=lambda: None), pytest.raises(EngineError, match="SIGSEGV"):
        build(store, bundle, TOLD, clips, rebuild=False, progress=Steps())
    assert [entry.name for entry in private_engine_cache.iterdir() if entry.is_dir()] == []


@pytest.mark.usefixtures("gpu", "jobs")
def test_it_runs_from_a_cache_that_is_read_only(
    bundle: Bundle, clips: ClipSet, private_engine_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, steps = EngineStore(private_engine_cache), Steps()
    with store.locked(on_wait=lambda: None):
        engine = build(store, bundle, TOLD, clips, rebuild=False, progress=steps)
        engine = verify(store, bundle, engine, clips, progress=steps)
        bench(store, bundle, [engine], batches=[1], threads=[1], seconds=0, cold=False)
    told: list[Mapping[str, str]] = []

    def options(devices: list[Any], settings: Mapping[str, str]) -> Any:
        told.append(settings)
        return session_options(threads=1)

    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(rtx_engine, "rtx_session_options", options)
    assert open_engine(bundle, "tensorrt_rtx").info.precision == "fp16"
    assert all("nv_runtime_cache_path" not in settings for settings in told)
