"""The trial: each variant is held against the probe crops, and those that pass are timed beside fp32, within a second.

Where one thread computes, its processor time is what counts, since other programs hardly change that; and the engines
take turns, so that all of them meet the same load.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.runtime.engine_record import SCHEMA, Precision
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.variants.files import FP32
from streamaffect.runtime.variants.probe import Probe, answer, objections
from streamaffect.runtime.variants.report import Tried, VariantKey, VariantReport

log = logging.getLogger(__name__)

TIMED_S = 0.4
FEWEST_ROUNDS, MOST_ROUNDS, BURST = 3, 60, 3

Graphs = Mapping[Precision, Mapping[str, bytes]]


def try_variants(bundle: Bundle, key: VariantKey, graphs: Graphs, probe: Probe) -> VariantReport:
    """Verify and time the variants of a bundle. Raises EngineError where not even its fp32 graphs run."""
    engines: dict[str, Engine] = {FP32: OnnxRuntimeEngine(bundle, threads=key.threads)}
    failures: dict[str, str] = {}
    try:
        for precision, own in graphs.items():
            try:
                engines[precision] = engine = _open(bundle, precision, own, key.threads)
                wrong = list(objections(bundle.manifest, probe.answers, answer(engine, bundle.manifest, probe.crops)))
            except EngineError as error:
                log.warning("the bundle's %s graphs do not run: %s", precision, error)
                wrong = ["ONNX Runtime does not run it"]
            if wrong:
                failures[precision] = wrong[0]
        right = {name: engine for name, engine in engines.items() if name not in failures}
        times_ms = frame_times_ms(bundle, right, clock=time.thread_time if key.threads == 1 else time.perf_counter)
    finally:
        for engine in engines.values():
            engine.close()
    tried = [Tried(precision, failures.get(precision), times_ms.get(precision)) for precision in graphs]
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return VariantReport(SCHEMA, key, created, times_ms[FP32], len(probe.crops), tried)


def _open(bundle: Bundle, precision: Precision, graphs: Mapping[str, bytes], threads: int) -> Engine:
    return OnnxRuntimeEngine(bundle, reason="trial", threads=threads, precision=precision, graphs=graphs)


def frame_times_ms(bundle: Bundle, engines: Mapping[str, Engine], *, clock: Callable[[], float]) -> dict[str, float]:
    """What one new frame of one face costs with each engine: the median over bursts of all three graphs.

    The first call of a burst is not counted: it pays for what the engines before it have put into the caches.
    """
    if len(engines) == 1:
        return dict.fromkeys(engines, 0.0)  # there is nothing to compare with
    calls = {name: _frame_call(bundle, engine) for name, engine in engines.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    deadline = time.perf_counter() + TIMED_S
    for done in range(MOST_ROUNDS):
        if done >= FEWEST_ROUNDS and time.perf_counter() > deadline:
            break
        for name, call in calls.items():
            call()
            for _ in range(BURST):
                started = clock()
                call()
                taken[name].append((clock() - started) * 1e3)
    return {name: round(float(np.median(times)), 4) for name, times in taken.items()}


def _frame_call(bundle: Bundle, engine: Engine) -> Callable[[], object]:
    manifest, rng = bundle.manifest, np.random.default_rng(0)
    size, clips = manifest.crop.size, manifest.context.clips
    crops = rng.integers(0, 256, (1, size, size, 3), np.uint8)
    features = rng.standard_normal((1, manifest.clip.frames, bundle.feature_dim), np.float32)
    context = rng.standard_normal((1, clips, bundle.clip_dim), np.float32)
    clip, valid = np.ascontiguousarray(context[:, manifest.context.past]), np.ones((1, clips), np.bool_)

    def call() -> object:
        engine.encode_frames(crops)
        engine.encode_clips(features)
        return engine.run_heads(clip, context, valid)

    return call
