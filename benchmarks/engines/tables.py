"""The engines of a bundle that were built and verified here: their times, their answers, and the types of their layers.

Three results, PREFIX_times, PREFIX_answers and PREFIX_layers, which `benchmarks/render.py` puts into docs/engines.md.
Times are those of `engines bench`: all engines in turns, on one thread.

    python -m engines build && python benchmarks/engines/tables.py
    python -m engines build runs/paper-size && python benchmarks/engines/tables.py runs/paper-size --prefix paper_size
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
from collections.abc import Sequence

from benchmarks.measures.report import RESULTS, Row, show, write
from engines.bench import FRAME, REFERENCE
from engines.build import bench
from engines.store import EngineStore
from streamaffect.errors import EngineError, StreamAffectError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import build_command, objection
from streamaffect.runtime.engine_cache import CachedEngine, list_engines
from streamaffect.runtime.engine_record import ColdStart, Timing
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER, ROLES, Manifest

BATCHES, THREADS = (1, 8), (1,)
NAMES = {FRAME_ENCODER: "frame encoder", CLIP_ENCODER: "clip encoder", CONTEXT_HEAD: "heads"}


def main() -> None:
    """Measure, show and save."""
    options = _options()
    try:
        bundle = load_bundle(options.bundle)
        engines = measured(bundle, options.seconds)
    except StreamAffectError as error:
        raise SystemExit(f"engines: {error}") from None
    tables = {
        "times": time_rows(engines),
        "answers": answer_rows(engines, bundle.manifest),
        "layers": layer_rows(engines),
    }
    packages = sorted(
        {"numpy", "onnxruntime", *(engine.record.key.backend for engine in engines)} - {"tensorrt", "tensorrt_rtx"}
    )
    for name, rows in tables.items():
        show(f"{bundle.manifest.label}: {name}", rows)
        print(write(f"{options.prefix}_{name}", rows, options.out / f"{options.prefix}_{name}.json", packages=packages))


def measured(bundle: Bundle, seconds: float) -> list[CachedEngine]:
    """The engines of the cache that are verified and fit this machine, measured in turns, the fastest first.

    Raises EngineError where there is none.
    """
    fit = [
        engine
        for engine in list_engines()[0]
        if engine.record.key.bundle_sha256 == bundle.sha256 and objection(engine) in (None, "not benchmarked")
    ]
    if not fit:
        raise EngineError(f"no verified engine of {bundle.manifest.label} here; `{build_command()}` makes them")
    store = EngineStore.default()
    with store.locked(on_wait=lambda: print("a build is at work; waiting for it to end", file=sys.stderr)):
        done = bench(store, bundle, fit, batches=BATCHES, threads=THREADS, seconds=seconds, cold=True, advance=_say)
    return sorted(done, key=_speedup, reverse=True)


def time_rows(engines: Sequence[CachedEngine]) -> list[Row]:
    """One row per engine, ONNX Runtime fp32 first; what `auto` would take is marked."""
    reports = [(engine.record.key.title, engine.bench) for engine in engines if engine.bench is not None]
    first = reports[0][1]
    rows = [_time_row(REFERENCE, first.reference_timings, first.reference_cold, 1.0)]
    rows += [_time_row(title, report.timings, report.cold, report.speedup) for title, report in reports]
    speedups = [1.0, *(report.speedup for _, report in reports)]
    fastest = speedups.index(max(speedups))
    return [{**row, "auto": "takes it" if place == fastest else ""} for place, row in enumerate(rows)]


def answer_rows(engines: Sequence[CachedEngine], manifest: Manifest) -> list[Row]:
    """How far every published number is off that varies on the verification clips; the engines under each other."""
    published = {head.name for head in manifest.published_heads}
    return [
        {
            "engine": engine.record.key.title,
            "output": f"{check.head}.{check.output}",
            "max Δ": round(check.deviation.max, 5),
            "mean Δ": round(check.deviation.mean, 5),
            "p99 Δ": round(check.deviation.p99, 5),
            "CCC change": round(check.ccc_change, 5),
            "steps": engine.verify.steps,
        }
        for engine in engines
        if engine.verify is not None
        for check in engine.verify.outputs
        if check.head in published and check.ccc_change is not None
    ]


def layer_rows(engines: Sequence[CachedEngine]) -> list[Row]:
    """In which types each engine computes convolutions and matrix products."""
    return [
        {"engine": engine.record.key.title}
        | {NAMES[role]: _counts(engine.record.layers.get(role, {})) for role in ROLES}
        for engine in engines
    ]


def _time_row(
    title: str, timings: Sequence[Timing], cold: ColdStart | None, speedup: float
) -> dict[str, float | str | None]:
    def of(role: str, batch: int) -> Timing:
        return next(timing for timing in timings if (timing.role, timing.batch) == (role, batch))

    frame = of(FRAME, 1)
    return {
        "engine": title,
        "ms a frame and face, p50": frame.p50_ms,
        "p95": frame.p95_ms,
        "×": speedup,
        **{f"{NAMES[role]}, ms": of(role, 1).p50_ms for role in ROLES},
        "crops/s at batch 8": round(of(FRAME_ENCODER, 8).per_second),
        "load, ms": round(cold.load_ms) if cold else None,
        "memory, MiB": round(cold.memory_mib) if cold else None,
    }


def _counts(kinds: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "–"


def _speedup(engine: CachedEngine) -> float:
    return engine.bench.speedup if engine.bench else 0.0


def _say(what: str) -> None:
    print(f"measured {what}", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path, help="folder of a bundle (default: the shipped one)")
    parser.add_argument("--prefix", default="engine", help="of the results' names (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=10.0,
        help="for one graph at one batch size, shared by all engines (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder (default: benchmarks/results)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
