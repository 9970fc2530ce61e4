"""Building: one engine of one backend and precision, from the bundle to a verified and measured entry of the cache."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.choice import current_device, exact_device, open_cached
from streamaffect.runtime.engine_cache import CachedEngine, cache_folder, load_entry
from streamaffect.runtime.engine_record import (
    BENCH_FILE,
    SCHEMA,
    TARGETS,
    VERIFY_FILE,
    Backend,
    CompiledGraph,
    EngineKey,
    EngineRecord,
    Precision,
    Provider,
)
from streamaffect.runtime.machine import backend_version, cpu_name, extra_of
from streamaffect.runtime.manifest import FRAME_ENCODER
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.variants.files import precisions_of, read_graphs

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
    "tensorrt_rtx": ("fp32", "fp16", "int8"),
}
BATCHED = ("tensorrt", "tensorrt_rtx")  # they are built for a largest batch


@dataclass(frozen=True, slots=True)
class Plan:
    """An engine to build.

    max_batch: largest batch of a TensorRT engine; the other backends take any
    targets:   compute capabilities to build for ahead of time; none where it is built for this machine
    """

    backend: Backend
    precision: Precision
    max_batch: int
    provider: Provider = "CPU"
    targets: tuple[str, ...] = ()

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
    wanted = [name for name in PRECISIONS if backend == name or (backend == "auto" and _is_usable(name))]
    plans = [plan for name in wanted for plan in _plans_of(name, max_batch) if precision in ("auto", plan.precision)]
    if precision == "auto":
        plans = [plan for plan in plans if (plan.backend, plan.precision, plan.provider) != _REFERENCE]
    if not plans:
        able = ", ".join(f"{name}: {' '.join(PRECISIONS[name])}" for name in wanted)
        raise EngineError(f"{precision} cannot be built here with {backend}; possible are {able}")
    return plans


def plan_ahead(backend: str, precision: str, *, max_batch: int, targets: str) -> list[Plan]:
    """Engines for other machines, by their compute capabilities, such as "8.6,12.0". Raises EngineError."""
    from .rtx_build import parse_targets

    if backend != "tensorrt_rtx":
        raise EngineError("--target builds ahead of time, which --backend tensorrt_rtx alone can do")
    possible = PRECISIONS["tensorrt_rtx"]
    if precision not in ("auto", *possible):
        raise EngineError(f"{precision} cannot be built with {backend}; possible are {' '.join(possible)}")
    chosen = parse_targets(targets)
    if backend_version(backend) is None:
        raise EngineError(f"{backend} is not installed; {INSTALL.format('tensorrt-build')}")
    plans = [Plan("tensorrt_rtx", each, max_batch, "CUDA", chosen) for each in possible]
    return [plan for plan in plans if precision in ("auto", plan.precision)]


def make_key(bundle: Bundle, plan: Plan, clips: ClipSet) -> EngineKey:
    """What the engine depends on, on this machine. Raises EngineError where its device is not there."""
    version = _require_installed(plan.backend)
    flags = {"calibration": clips.calibration_sha256[:16]} if plan.precision == "int8" else {}
    key = EngineKey(
        bundle_sha256=bundle.sha256,
        backend=plan.backend,
        backend_version=version,
        precision=plan.precision,
        provider=plan.provider,
        device=cpu_name(),
        max_batch=plan.max_batch if plan.backend in BATCHED else 0,
        flags=flags,
    )
    if plan.provider == "CPU":
        return key
    if plan.targets:
        flags = flags | {TARGETS: ",".join(plan.targets)}
        return msgspec.structs.replace(key, device=f"compute capability {', '.join(plan.targets)}", flags=flags)
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
    report = msgspec.structs.replace(comparison.report(engine.sha256), device=_seen_on(engine))
    return store.attach(engine, VERIFY_FILE, report)


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
        report = msgspec.structs.replace(report, device=_seen_on(engine))
        measured.append(store.attach(engine, BENCH_FILE, report))
    return measured


def _seen_on(engine: CachedEngine) -> str:
    """Where a report of an engine is made that is meant for several machines; a report counts for one."""
    return exact_device(engine.record.key) if engine.record.key.targets else ""


_REFERENCE = ("onnxruntime", "fp32", "CPU")


def _plans_of(backend: Backend, max_batch: int) -> list[Plan]:
    if backend in BATCHED:
        return [Plan(backend, precision, max_batch, "CUDA") for precision in PRECISIONS[backend]]
    plans = [Plan(backend, precision, max_batch) for precision in PRECISIONS[backend]]
    if backend == "openvino":
        from streamaffect.runtime.openvino import has_bf16

        return plans if has_bf16() else [plan for plan in plans if plan.precision != "bf16"]
    from streamaffect.runtime.onnxruntime import has_cuda_provider

    return [*plans, Plan(backend, "fp32", max_batch, "CUDA")] if has_cuda_provider() else plans


def _require(backend: str) -> None:
    """Raise EngineError unless a backend that was asked for by name can build here."""
    _require_installed(backend)
    if backend == "tensorrt":
        from streamaffect.runtime.tensorrt import probe

        probe()
    if backend == "tensorrt_rtx":
        from streamaffect.runtime.tensorrt_rtx.plugin import probe as probe_rtx

        probe_rtx()


def _require_installed(backend: str) -> str:
    """The installed version; raises EngineError with the command that installs it."""
    version = backend_version(backend)
    if version is None:
        raise EngineError(f"{backend} is not installed; {INSTALL.format(extra_of(backend))}")
    return version


def _is_usable(backend: str) -> bool:
    """Whether it is worth a try unasked; TensorRT for RTX also serves to build for machines that have its cards."""
    if backend_version(backend) is None:
        return False
    if backend != "tensorrt_rtx":
        return True
    try:
        _require(backend)
    except EngineError:
        return False
    return True


def _compile(
    bundle: Bundle, plan: Plan, clips: ClipSet, workspace: Path, store: EngineStore
) -> tuple[dict[str, Path], LayerTypes]:
    """The graphs that replace the bundle's own, by role, as files in the workspace; and the types of the layers."""
    if plan.backend == "tensorrt":
        from .tensorrt_build import write_plans

        return write_plans(bundle, plan.precision, plan.max_batch, clips, workspace, cache=store.root)
    if plan.backend == "tensorrt_rtx":
        from .rtx_build import write_contexts

        return write_contexts(
            bundle, plan.precision, plan.max_batch, clips, workspace, cache=cache_folder(), targets=plan.targets
        )
    files: dict[
        str, Path
    ] = {}  # fp32 and bf16 run the bundle's own graphs, which the backend compiles as it loads them
    if plan.precision == "int8":
        files[FRAME_ENCODER] = workspace / f"{FRAME_ENCODER}.onnx"
        if plan.backend == "onnxruntime" and not clips.is_own and "int8" in precisions_of(bundle):
            files[FRAME_ENCODER].write_bytes(read_graphs(bundle, "int8")[FRAME_ENCODER])
            return files, types_of_graphs(bundle, files)
        crops = spread_out(clips.calibration, CALIBRATION_CROPS)
        write_int8(bundle.graph_path(FRAME_ENCODER), files[FRAME_ENCODER], crops, plan.backend)
    if plan.backend == "openvino":
        return files, types_of_openvino(bundle, plan.precision, files)
    return files, types_of_graphs(bundle, files)
