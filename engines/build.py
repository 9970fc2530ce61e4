"""Building: one engine of one backend and precision, from the bundle to a verified and measured entry of the cache."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.choice import current_device, open_cached
from streamaffect.runtime.engine_cache import CachedEngine, load_entry
from streamaffect.runtime.engine_record import (
    BENCH_FILE,
    SCHEMA,
    VERIFY_FILE,
    Backend,
    CompiledGraph,
    EngineKey,
    EngineRecord,
    Precision,
    Provider,
)
from streamaffect.runtime.machine import backend_version, cpu_name
from streamaffect.runtime.manifest import FRAME_ENCODER
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

from .bench import make_report, measure
from .cold import measure_cold_start
from .crops import ClipSet, spread_out
from .facts import now
from .file_hash import sha256_of
from .graphs.layers import LayerTypes, types_of_graphs, types_of_openvino
from .graphs.quantise import CALIBRATION_CROPS, write_int8
from .progress import Steps
from .store import EngineStore
from .verify import compare

INSTALL = "pip install 'streamaffect[{}]'"
PRECISIONS: dict[Backend, tuple[Precision, ...]] = {
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "tensorrt": ("fp32", "fp16", "int8"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """An engine to build. max_batch: largest batch of a TensorRT engine; the other backends take any."""

    backend: Backend
    precision: Precision
    max_batch: int
    provider: Provider = "CPU"

    @property
    def title(self) -> str:
        """E.g. "openvino CPU bf16"."""
        return f"{self.backend} {self.provider} {self.precision}"


def make_plans(backend: str, precision: str, *, max_batch: int) -> list[Plan]:
    """All engines that this machine could build for what was asked, "auto" being everything that may be faster.

    Raises EngineError where what was asked for by name cannot be built here.
    """
    if backend != "auto":
        _require(backend)
    wanted = [name for name in PRECISIONS if backend in ("auto", name) and backend_version(name) is not None]
    plans = [plan for name in wanted for plan in _plans_of(name, max_batch) if precision in ("auto", plan.precision)]
    if precision == "auto":
        plans = [plan for plan in plans if (plan.backend, plan.precision, plan.provider) != _REFERENCE]
    if not plans:
        able = ", ".join(f"{name}: {' '.join(PRECISIONS[name])}" for name in wanted)
        raise EngineError(f"{precision} cannot be built here with {backend}; possible are {able}")
    return plans


def make_key(bundle: Bundle, plan: Plan, clips: ClipSet) -> EngineKey:
    """What the engine depends on, on this machine. Raises EngineError where its device is not there."""
    version = backend_version(plan.backend)
    if version is None:
        raise EngineError(f"{plan.backend} is not installed; {INSTALL.format(plan.backend)}")
    key = EngineKey(
        bundle_sha256=bundle.sha256,
        backend=plan.backend,
        backend_version=version,
        precision=plan.precision,
        provider=plan.provider,
        device=cpu_name(),
        max_batch=plan.max_batch if plan.backend == "tensorrt" else 0,
        flags={"calibration": clips.calibration_sha256[:16]} if plan.precision == "int8" else {},
    )
    if plan.provider == "CPU":
        return key
    return msgspec.structs.replace(key, device=current_device(key))


def build(
    store: EngineStore, bundle: Bundle, plan: Plan, clips: ClipSet, *, rebuild: bool, progress: Steps
) -> CachedEngine:
    """Build an engine, or return the one of the cache if it is sound and `rebuild` is false.

    The store must be locked. Raises EngineError; then nothing is left in the cache.
    """
    key = make_key(bundle, plan, clips)
    existing = find(store, key)
    if existing is not None and not rebuild:
        return existing
    started = time.monotonic()
    with store.workspace() as workspace:
        progress.step("compile")
        files, layers = _compile(bundle, plan, clips, workspace, store)
        record = EngineRecord(
            schema=SCHEMA,
            key=key,
            bundle=bundle.manifest.label,
            created=now(),
            build_s=round(time.monotonic() - started, 2),
            graphs={role: CompiledGraph(file.name, sha256_of(file)) for role, file in files.items()},
            calibration=clips.origin if plan.precision == "int8" else None,
            layers=layers,
        )
        return store.publish(workspace, record)


def find(store: EngineStore, key: EngineKey) -> CachedEngine | None:
    """The engine of a key if its folder and all its files are as they were built."""
    try:
        engine = load_entry(store.root / key.digest)
        engine.read_graphs()
    except EngineError:
        return None
    return engine


def verify(
    store: EngineStore, bundle: Bundle, engine: CachedEngine, clips: ClipSet, *, progress: Steps
) -> CachedEngine:
    """Compare an engine with ONNX Runtime fp32 on the held-out clips and write its report, passed or not."""
    progress.step("verify")
    reference = OnnxRuntimeEngine(bundle)
    with closing(open_cached(bundle, engine, "verification", 1)) as candidate:
        comparison = compare(bundle, reference, candidate, clips.held_out, origin=clips.origin)
    return store.attach(engine, VERIFY_FILE, comparison.report(engine.sha256))


def bench(
    store: EngineStore,
    bundle: Bundle,
    engines: Sequence[CachedEngine],
    *,
    batches: Sequence[int],
    threads: Sequence[int],
    seconds: float,
    cold: bool,
    advance: Callable[[str], None] = lambda _: None,
) -> list[CachedEngine]:
    """Measure engines side by side and write a report beside each."""
    timings = measure(bundle, engines, batches=batches, threads=threads, seconds=seconds, advance=advance)
    reference_start = measure_cold_start(bundle.path, None) if cold else None
    measured = []
    for engine in engines:
        start = measure_cold_start(bundle.path, engine.folder) if cold else None
        report = make_report(engine, timings, cold=start, reference_cold=reference_start)
        measured.append(store.attach(engine, BENCH_FILE, report))
    return measured


_REFERENCE = ("onnxruntime", "fp32", "CPU")


def _plans_of(backend: Backend, max_batch: int) -> list[Plan]:
    if backend == "tensorrt":
        return [Plan(backend, precision, max_batch, "CUDA") for precision in PRECISIONS[backend]]
    plans = [Plan(backend, precision, max_batch) for precision in PRECISIONS[backend]]
    if backend == "openvino":
        from streamaffect.runtime.openvino import has_bf16

        return plans if has_bf16() else [plan for plan in plans if plan.precision != "bf16"]
    from streamaffect.runtime.onnxruntime import has_cuda_provider

    return [*plans, Plan(backend, "fp32", max_batch, "CUDA")] if has_cuda_provider() else plans


def _require(backend: str) -> None:
    """Raise EngineError unless a backend that was asked for by name can build here."""
    if backend_version(backend) is None:
        raise EngineError(f"{backend} is not installed; {INSTALL.format(backend)}")
    if backend == "tensorrt":
        from streamaffect.runtime.tensorrt import probe

        probe()


def _compile(
    bundle: Bundle, plan: Plan, clips: ClipSet, workspace: Path, store: EngineStore
) -> tuple[dict[str, Path], LayerTypes]:
    """The graphs that replace the bundle's own, by role, as files in the workspace; and the types of the layers."""
    if plan.backend == "tensorrt":
        from .tensorrt_build import write_plans

        return write_plans(bundle, plan.precision, plan.max_batch, clips, workspace, cache=store.root)
    files: dict[
        str, Path
    ] = {}  # fp32 and bf16 run the bundle's own graphs, which the backend compiles as it loads them
    if plan.precision == "int8":
        files[FRAME_ENCODER] = workspace / f"{FRAME_ENCODER}.onnx"
        crops = spread_out(clips.calibration, CALIBRATION_CROPS)
        write_int8(bundle.graph_path(FRAME_ENCODER), files[FRAME_ENCODER], crops, plan.backend)
    if plan.backend == "openvino":
        return files, types_of_openvino(bundle, plan.precision, files)
    return files, types_of_graphs(bundle, files)
