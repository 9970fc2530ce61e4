"""How fast engines are here: each graph at each batch size, in turns, so that all of them meet the same load.

On a machine that does other things too, two engines measured one after the other say more about that than about them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.choice import open_cached
from streamaffect.runtime.engine import Engine
from streamaffect.runtime.engine_cache import CachedEngine
from streamaffect.runtime.engine_record import SCHEMA, BenchReport, ColdStart, Provider, Timing
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER, ROLES
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

from .facts import machine, now

REFERENCE = "onnxruntime CPU fp32"
FRAME = "frame"
FEWEST_ROUNDS, MOST_ROUNDS, BURST = 3, 400, 4
FRAME_SHARE = 3  # the choice rests on this one, so it gets more time

Call = Callable[[], object]


class Sample(NamedTuple):
    """One call: the time that passed, and the processor time of all threads, in milliseconds."""

    wall_ms: float
    cpu_ms: float


def measure(
    bundle: Bundle,
    engines: Sequence[CachedEngine],
    *,
    batches: Sequence[int],
    threads: Sequence[int],
    seconds: float,
    advance: Callable[[str], None] = lambda _: None,
) -> dict[str, list[Timing]]:
    """Times of all engines and of ONNX Runtime fp32, by the engine's folder name (REFERENCE for the latter).

    seconds: time spent on one graph at one batch size and thread count, shared by all engines
    advance: called with the name of each measurement when it is done
    """
    timings: dict[str, list[Timing]] = {REFERENCE: [], **{engine.folder.name: [] for engine in engines}}
    for count in threads:
        with ExitStack() as stack:
            running: dict[str, Engine] = {REFERENCE: OnnxRuntimeEngine(bundle, threads=count)}
            for cached in engines:
                engine = open_cached(bundle, cached, "bench", count)
                stack.callback(engine.close)
                running[cached.folder.name] = engine
            for role, batch in [(FRAME, 1), *((role, batch) for role in ROLES for batch in batches)]:
                calls = {name: make_call(engine, bundle, role, batch) for name, engine in running.items()}
                for name, samples in time_in_turns(
                    calls, seconds=seconds * (FRAME_SHARE if role == FRAME else 1)
                ).items():
                    timings[name].append(_timing(role, batch, count, samples))
                advance(f"{role} × {batch}")
    return timings


def make_report(
    engine: CachedEngine,
    timings: Mapping[str, list[Timing]],
    *,
    cold: ColdStart | None,
    reference_cold: ColdStart | None = None,
) -> BenchReport:
    """The content of `bench.json` for one of the engines that were measured."""
    own, reference = timings[engine.folder.name], timings[REFERENCE]
    return BenchReport(
        schema=SCHEMA,
        engine_sha256=engine.sha256,
        created=now(),
        machine=machine(),
        frame_ms=_frame_ms(own, engine.record.key.provider),
        reference_frame_ms=_frame_ms(reference, "CPU"),
        timings=own,
        reference_timings=reference,
        cold=cold,
        reference_cold=reference_cold,
    )


def make_call(engine: Engine, bundle: Bundle, role: str, batch: int) -> Call:
    """A call of one graph with fixed inputs; FRAME is what a new frame of one face costs: all three graphs."""
    manifest = bundle.manifest
    rng = np.random.default_rng(0)
    size, clips = manifest.crop.size, manifest.context.clips
    crops = rng.integers(0, 256, (batch, size, size, 3), np.uint8)
    features = rng.standard_normal((batch, manifest.clip.frames, bundle.feature_dim), np.float32)
    context = rng.standard_normal((batch, clips, bundle.clip_dim), np.float32)
    clip, valid = np.ascontiguousarray(context[:, manifest.context.past]), np.ones((batch, clips), np.bool_)
    calls: dict[str, Call] = {
        FRAME_ENCODER: lambda: engine.encode_frames(crops),
        CLIP_ENCODER: lambda: engine.encode_clips(features),
        CONTEXT_HEAD: lambda: engine.run_heads(clip, context, valid),
    }
    if role == FRAME:
        return lambda: [call() for call in calls.values()]
    return calls[role]


def time_in_turns(calls: Mapping[str, Call], *, seconds: float) -> dict[str, list[Sample]]:
    """The times of each call, a burst of each per round; at least FEWEST_ROUNDS, however slow.

    The first call of a burst is not counted: it pays for what the engines before it have put into the caches.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in calls}
    deadline = time.perf_counter() + seconds
    for done in range(MOST_ROUNDS):
        if done >= FEWEST_ROUNDS and time.perf_counter() > deadline:
            break
        for name, call in calls.items():
            call()
            samples[name] += [_time(call) for _ in range(BURST)]
    return samples


def _time(call: Call) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Sample(wall_ms=(time.perf_counter() - wall) * 1e3, cpu_ms=(time.process_time() - cpu) * 1e3)


def _timing(role: str, batch: int, threads: int, samples: Sequence[Sample]) -> Timing:
    p50, p95, p99 = (float(np.quantile([sample.wall_ms for sample in samples], share)) for share in (0.5, 0.95, 0.99))
    cpu_ms = float(np.median([sample.cpu_ms for sample in samples]))
    return Timing(role, batch, threads, len(samples), p50, p95, p99, cpu_ms)


def _frame_ms(timings: Sequence[Timing], provider: Provider) -> float:
    """The cost of a frame with the first of the thread counts that were measured."""
    first = next(timing for timing in timings if timing.role == FRAME)
    return first.cpu_ms if provider == "CPU" and first.threads == 1 else first.p50_ms
