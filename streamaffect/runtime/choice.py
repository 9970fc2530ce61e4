"""Which engine runs a bundle on this machine, and why.

`auto` takes an engine of the cache that was verified against ONNX Runtime fp32 on this very machine with the versions
that are installed: of TensorRT, else of TensorRT for RTX, else the fastest. Where there is none, or one that is clearly
slower, it takes a variant that the bundle brings and that was tried here; else ONNX Runtime fp32. A named backend is
obeyed or refused.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.runtime.engine_cache import CachedEngine, list_engines
from streamaffect.runtime.engine_record import Backend, EngineKey, Precision
from streamaffect.runtime.machine import backend_version, cpu_name, extra_of
from streamaffect.runtime.variants.offer import Offered, offer_variants
from streamaffect.runtime.variants.report import MARGIN

log = logging.getLogger(__name__)

AUTO = "auto"
BACKENDS: tuple[str, ...] = get_args(Backend)
PRECISIONS: tuple[str, ...] = get_args(Precision)


def open_engine(bundle: Bundle, backend: str = AUTO, *, precision: str = AUTO, threads: int = 1) -> Engine:
    """Load and warm up an engine for the bundle. Nothing is built; a bundle's variants are tried, once on a machine.

    backend:   "auto", or the name of one, which is never replaced by another
    precision: "auto", or the only one that may be taken
    Raises EngineError where what was asked for is not available here.
    """
    if backend not in (AUTO, *BACKENDS):
        raise EngineError(f"engine {backend!r} is unknown; --engine takes {AUTO}, {', '.join(BACKENDS)}")
    if precision not in (AUTO, *PRECISIONS):
        raise EngineError(f"precision {precision!r} is unknown; engine.precision takes {AUTO}, {', '.join(PRECISIONS)}")
    asked_for = [
        engine
        for engine in list_engines()[0]
        if engine.record.key.bundle_sha256 == bundle.sha256
        and backend in (AUTO, engine.record.key.backend)
        and precision in (AUTO, engine.record.key.precision)
    ]
    if backend == AUTO:
        return _open_fastest(bundle, asked_for, precision, threads)
    return _open_named(bundle, backend, asked_for, precision, threads)


def build_command(backend: str = AUTO, precision: str = AUTO) -> str:
    """What to type to build an engine, as it works in this installation."""
    installed = (Path(__file__).parents[1] / "engines").is_dir()
    words = ["streamaffect-engines build" if installed else "python -m engines build"]
    words += [f"--backend {backend}"] if backend != AUTO else []
    words += [f"--precision {precision}"] if precision != AUTO else []
    return " ".join(words)


def current_device(key: EngineKey) -> str:
    """This machine's name for the device that a key is for; raises EngineError where there is no such device.

    Of an engine that was built ahead of time, the key's own where this machine's GPU is among what it is for.
    """
    if key.targets:
        from streamaffect.runtime.cuda import first_gpu

        if first_gpu().capability in key.targets:
            return key.device
    return exact_device(key)


def exact_device(key: EngineKey) -> str:
    """The device that runs the engines of a key on this machine; raises EngineError where there is none."""
    if key.provider == "CPU":
        return cpu_name()
    from streamaffect.runtime.cuda import device_name, driver_version

    # What TensorRT for RTX keeps beside an engine is made by the driver too.
    return f"{device_name()}, driver {driver_version()}" if key.backend == "tensorrt_rtx" else device_name()


def _open_fastest(bundle: Bundle, engines: Sequence[CachedEngine], precision: str, threads: int) -> Engine:
    """The best of those that may run; each that fails to open is reported and passed over."""
    objections: list[str] = []
    failures: list[str] = []
    offered: Offered | None = None
    for engine in sorted(engines, key=_rank):
        if reason := objection(engine) or _is_slow(engine):
            objections.append(f"{engine.record.key.title}: {reason}")
            continue
        if offered is None and engine.record.key.backend not in _FIRST:
            offered = offer_variants(bundle, precision, threads)
        if offered is not None and offered.best is not None and offered.best.speedup > MARGIN * _speedup(engine):
            objections.append(f"{engine.record.key.title}: slower than what the bundle brings")
            continue
        try:
            why = "; ".join([f"auto: {_merits(engine)}", *failures])
            return open_cached(bundle, engine, why, threads)
        except EngineError as error:
            log.warning("%s is passed over: %s", engine.record.key.title, error)
            failures.append(f"{engine.record.key.title} does not load")
    objections += failures
    offered = offer_variants(bundle, precision, threads) if offered is None else offered
    if offered.best is not None:
        try:
            return offered.best.open("; ".join([f"auto: {offered.best.merits}", *offered.remarks, *objections]))
        except EngineError as error:
            log.warning("the bundle's %s graphs are passed over: %s", offered.best.precision, error)
            objections.append(f"{offered.best.precision} of the bundle does not load")
    if precision not in (AUTO, "fp32"):
        refused = "".join(f"; {remark}" for remark in offered.remarks)
        raise EngineError(
            f"no {precision} engine of this bundle is verified here{refused}; {build_command(AUTO, precision)}"
        )
    from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

    objections += offered.remarks
    why = "; ".join(objections) or f"no compiled engine of this bundle here, `{build_command()}` makes one"
    return OnnxRuntimeEngine(bundle, reason=f"auto: ONNX Runtime runs everywhere ({why})", threads=threads)


def _open_named(bundle: Bundle, backend: str, engines: Sequence[CachedEngine], precision: str, threads: int) -> Engine:
    """The fastest verified engine of a backend, else the bundle's own graphs in fp32 where the backend runs those."""
    if backend_version(backend) is None:
        raise EngineError(f"engine {backend} is not installed; pip install 'streamaffect[{extra_of(backend)}]'")
    asked = f"asked for by --engine {backend}"
    offered = offer_variants(bundle, precision, threads) if backend == "onnxruntime" else Offered(None, [])
    variant = offered.best
    fit = [engine for engine in engines if objection(engine) is None]
    best = max(fit, key=_speedup, default=None)
    if best is not None and not (variant is not None and variant.speedup > MARGIN * _speedup(best)):
        return open_cached(bundle, best, f"{asked}: {_merits(best)}", threads)
    if variant is not None:
        return variant.open("; ".join([f"{asked}: {variant.merits}", *offered.remarks]))
    plain = _PLAIN.get(backend)
    if plain is None or precision not in (AUTO, "fp32"):
        wanted = backend if precision == AUTO else f"{backend} {precision}"
        refused = "".join(f"; {remark}" for remark in offered.remarks)
        command = build_command(backend, precision)
        raise EngineError(f"no verified {wanted} engine of {bundle.manifest.label} on this machine{refused}; {command}")
    return plain(bundle, "; ".join([f"{asked}: the bundle's own graphs", *offered.remarks]), threads)


def objection(engine: CachedEngine) -> str | None:
    """Why an engine of the cache must not be chosen here; None where it may be."""
    if stale := engine.staleness():
        return stale
    if not engine.is_verified:
        return "not verified" if engine.verify is None else "refused by verification"
    if engine.bench is None:
        return "not benchmarked"
    try:
        return _misplaced(engine)
    except EngineError as error:
        return str(error)


def _misplaced(engine: CachedEngine) -> str | None:
    """Why an engine with reports is not for this machine; raises EngineError where that kind of device is not here."""
    key = engine.record.key
    if current_device(key) != key.device:
        return f"built for {key.device}"
    if key.targets and any(report.device != exact_device(key) for report in (engine.verify, engine.bench) if report):
        return "verified or measured on another machine"
    return None


def _is_slow(engine: CachedEngine) -> str | None:
    return "no faster than ONNX Runtime fp32" if _speedup(engine) <= 1 else None


def _rank(engine: CachedEngine) -> tuple[int, float]:
    """TensorRT first, then TensorRT for RTX, then the others; the fastest first among equals."""
    backend = engine.record.key.backend
    order = _FIRST.index(backend) if backend in _FIRST else len(_FIRST)
    return order, -_speedup(engine)


def _speedup(engine: CachedEngine) -> float:
    return engine.bench.speedup if engine.bench else 0.0


def _merits(engine: CachedEngine) -> str:
    if engine.bench is None or engine.verify is None:
        raise AssertionError("only engines that were verified and measured are opened")
    return (
        f"{engine.bench.speedup:.1f} times as fast as ONNX Runtime fp32 here ({engine.bench.frame_ms:.2f} ms a face), "
        f"verified {engine.verify.created[:10]}"
    )


def open_cached(bundle: Bundle, engine: CachedEngine, reason: str, threads: int) -> Engine:
    """Load an engine of the cache, whatever its reports say. Raises EngineError."""
    key, graphs = engine.record.key, engine.read_graphs()
    if key.backend == "openvino":
        from streamaffect.runtime.openvino import OpenVinoEngine

        return OpenVinoEngine(bundle, reason=reason, threads=threads, precision=key.precision, graphs=graphs)
    if key.backend == "tensorrt":
        from streamaffect.runtime.tensorrt import TensorRtEngine

        return TensorRtEngine(bundle, reason=reason, precision=key.precision, max_batch=key.max_batch, plans=graphs)
    if key.backend == "tensorrt_rtx":
        from streamaffect.runtime.tensorrt_rtx.engine import TensorRtRtxEngine

        return TensorRtRtxEngine(
            bundle,
            reason=reason,
            precision=key.precision,
            max_batch=key.max_batch,
            graphs=graphs,
            runtime_cache=_runtime_cache(engine),
        )
    from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(
        bundle, reason=reason, threads=threads, precision=key.precision, provider=key.provider, graphs=graphs
    )


def _runtime_cache(engine: CachedEngine) -> Path:
    """In the engine's own folder, one for each card and driver that runs it."""
    device = hashlib.sha256(exact_device(engine.record.key).encode()).hexdigest()
    return engine.folder / f"runtime-{device[:8]}"


def _open_plain_onnxruntime(bundle: Bundle, reason: str, threads: int) -> Engine:
    from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(bundle, reason=reason, threads=threads)


def _open_plain_openvino(bundle: Bundle, reason: str, threads: int) -> Engine:
    from streamaffect.runtime.openvino import OpenVinoEngine

    return OpenVinoEngine(bundle, reason=reason, threads=threads)


_PLAIN: dict[str, Callable[[Bundle, str, int], Engine]] = {
    "onnxruntime": _open_plain_onnxruntime,
    "openvino": _open_plain_openvino,
}
_FIRST = ("tensorrt", "tensorrt_rtx")
