"""Entries of the engine cache as the tool writes them, made in a moment: records, reports and graphs by hand."""

import hashlib
from pathlib import Path

import msgspec

from engines.store import EngineStore
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine_cache import CachedEngine
from streamaffect.runtime.engine_record import (
    BENCH_FILE,
    SCHEMA,
    VERIFY_FILE,
    Backend,
    BenchReport,
    CompiledGraph,
    EngineKey,
    EngineRecord,
    Precision,
    Provider,
    VerifyReport,
)
from streamaffect.runtime.machine import backend_version, cpu_name
from streamaffect.version import SOFTWARE


def make_key(
    bundle: Bundle,
    *,
    backend: Backend = "onnxruntime",
    precision: Precision = "int8",
    provider: Provider = "CPU",
    version: str | None = None,
    device: str | None = None,
    max_batch: int = 0,
    software: str = SOFTWARE,
    flags: dict[str, str] | None = None,
) -> EngineKey:
    return EngineKey(
        bundle_sha256=bundle.sha256,
        backend=backend,
        backend_version=version or backend_version(backend) or "not installed",
        precision=precision,
        provider=provider,
        device=device or cpu_name(),
        max_batch=max_batch,
        software=software,
        flags=flags or {},
    )


def publish(root: Path, key: EngineKey, *, graphs: dict[str, bytes] | None = None) -> CachedEngine:
    """An engine that was built, and nothing more."""
    store = EngineStore(root)
    suffix = "plan" if key.backend == "tensorrt" else "onnx"
    files = {role: f"{role}.{suffix}" for role in graphs or {}}
    with store.locked(on_wait=lambda: None), store.workspace() as workspace:
        for role, data in (graphs or {}).items():
            (workspace / files[role]).write_bytes(data)
        compiled = {
            role: CompiledGraph(files[role], hashlib.sha256(data).hexdigest()) for role, data in (graphs or {}).items()
        }
        record = EngineRecord(SCHEMA, key, "colours@1.0", "2026-11-20T12:00:00+00:00", 0.1, compiled)
        return store.publish(workspace, record)


def verified(root: Path, engine: CachedEngine, *, failures: list[str] | None = None) -> CachedEngine:
    """The engine with a report that passes, or fails for the reasons given."""
    report = VerifyReport(SCHEMA, engine.sha256, "2026-11-20", "test", 10, 0.005, 0.025, {}, [], failures or [])
    return EngineStore(root).attach(engine, VERIFY_FILE, report)


def measured(root: Path, engine: CachedEngine, *, speedup: float) -> CachedEngine:
    """The engine with times that make it `speedup` times as fast as ONNX Runtime fp32."""
    report = BenchReport(SCHEMA, engine.sha256, "2026-11-20", "test", 1.0, speedup, [], [])
    return EngineStore(root).attach(engine, BENCH_FILE, report)


def ready(root: Path, key: EngineKey, *, speedup: float, graphs: dict[str, bytes] | None = None) -> CachedEngine:
    """An engine that `auto` may take."""
    return measured(root, verified(root, publish(root, key, graphs=graphs)), speedup=speedup)


def rewrite(file: Path, **changes: object) -> None:
    """Alter the top level of a JSON file."""
    file.write_bytes(msgspec.json.encode(msgspec.json.decode(file.read_bytes()) | changes))
