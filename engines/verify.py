"""The proof that an engine may be used: the same clips through ONNX Runtime fp32 and through the candidate.

What is compared is what is published: every head's output at every step of the streaming estimator. Each graph is
compared on its own too, given the reference's inputs, so that a report says which of them is off.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from streamaffect.affect.estimate import Estimator, Observation
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine, EngineInfo
from streamaffect.runtime.engine_record import SCHEMA, Deviation, OutputCheck, VerifyReport
from streamaffect.runtime.manifest import HeadSpec
from streamaffect.types import BoolArray, FloatArray, ImageArray

from .crops import FaceClip
from .facts import now

CCC_LIMIT = 0.005
P99_LIMIT = 0.025  # share of an output's range
VARIES = 0.01  # an output whose standard deviation is below this share of its range has no telling CCC
GRAPH_CALLS = 200

Heads = dict[str, FloatArray]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the comparison found; `report` puts it into the file's form."""

    clips: str
    steps: int
    graphs: dict[str, Deviation]
    outputs: list[OutputCheck]
    failures: list[str]

    def report(self, engine_sha256: str) -> VerifyReport:
        """The content of `verify.json` for the engine of that hash."""
        return VerifyReport(
            schema=SCHEMA,
            engine_sha256=engine_sha256,
            created=now(),
            clips=self.clips,
            steps=self.steps,
            ccc_limit=CCC_LIMIT,
            p99_limit=P99_LIMIT,
            graphs=self.graphs,
            outputs=self.outputs,
            failures=self.failures,
        )


def compare(
    bundle: Bundle,
    reference: Engine,
    candidate: Engine,
    clips: Sequence[FaceClip],
    *,
    origin: str,
    advance: Callable[[], None] = lambda: None,
) -> Comparison:
    """Stream the clips through both engines; `advance` is called after each clip.

    A candidate that gives NaN or infinity fails, whatever the rest.
    """
    recorder = _Recorder(reference)
    expected: list[Heads] = []
    found: list[Heads] = []
    for clip in clips:
        expected += _stream(bundle, recorder, clip)
        found += _stream(bundle, candidate, clip)
        advance()
    graphs = dict(_graph_deviations(recorder, candidate))
    heads = [head for head in bundle.manifest.heads if head.input == "context"]
    outputs = [check for head in heads for check in _check_head(head, expected, found)]
    ranges = {(head.name, output.name): output.range for head in heads for output in head.outputs}
    failures = [sentence for check in outputs for sentence in _failures(check, *ranges[check.head, check.output])]
    return Comparison(origin, len(expected), graphs, outputs, failures)


def concordance(a: FloatArray, b: FloatArray) -> float:
    """The concordance correlation coefficient (Lin 1989) of two series (N,)."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return float(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


@dataclass
class _Recorder:
    """Passes everything to the reference and remembers some of it for the comparison graph by graph."""

    engine: Engine
    frames: list[tuple[ImageArray, FloatArray]] = field(default_factory=list)
    clips: list[tuple[FloatArray, FloatArray]] = field(default_factory=list)
    heads: list[tuple[tuple[FloatArray, FloatArray, BoolArray], Heads]] = field(default_factory=list)

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        features = self.engine.encode_frames(crops)
        self.frames.append((crops, features))
        return features

    def encode_clips(self, features: FloatArray) -> FloatArray:
        clip = self.engine.encode_clips(features)
        self.clips.append((features, clip))
        return clip

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> Heads:
        heads = self.engine.run_heads(clip, context, valid)
        self.heads.append(((clip, context, valid), heads))
        return heads

    def close(self) -> None:
        self.engine.close()


def _stream(bundle: Bundle, engine: Engine, clip: FaceClip) -> list[Heads]:
    """The heads' rows at every step, exactly as a run gives them."""
    estimator = Estimator(bundle, engine)
    steps: list[Heads] = []
    for crop, time_s in zip(clip.crops, clip.times_s, strict=True):
        step = estimator.step([Observation(("clip", 0), time_s, crop)])
        steps += [prediction.heads for prediction in (*step.predictions, *step.refinements)]
    return steps


def _graph_deviations(recorder: _Recorder, candidate: Engine) -> Iterator[tuple[str, Deviation]]:
    """Each graph alone on the reference's inputs, in batches of several as well as one by one."""
    crops, features = (np.concatenate(part) for part in zip(*_some(recorder.frames), strict=True))
    yield "frame_encoder", _deviation(features, _in_batches(candidate.encode_frames, crops))
    windows, vectors = (np.concatenate(part) for part in zip(*_some(recorder.clips), strict=True))
    yield "clip_encoder", _deviation(vectors, _in_batches(candidate.encode_clips, windows))
    calls = _some(recorder.heads)
    clip, context, valid = (np.concatenate(part) for part in zip(*(inputs for inputs, _ in calls), strict=True))
    found = candidate.run_heads(clip, context, valid)
    for name in found:
        yield f"context_head.{name}", _deviation(np.concatenate([heads[name] for _, heads in calls]), found[name])


def _some(items: list[Item]) -> list[Item]:
    chosen = np.unique(np.linspace(0, len(items) - 1, min(GRAPH_CALLS, len(items))).astype(int))
    return [items[i] for i in chosen]


def _in_batches(run: Callable[[Any], FloatArray], inputs: FloatArray | ImageArray) -> FloatArray:
    """Batches of 1, 2, 3, … rows, so that every small batch size is tried."""
    outputs: list[FloatArray] = []
    start = 0
    size = 1
    while start < len(inputs):
        outputs.append(run(inputs[start : start + size]))
        start, size = start + size, size + 1
    return np.concatenate(outputs)


def _deviation(expected: FloatArray, found: FloatArray) -> Deviation:
    difference = np.abs(expected.astype(np.float64) - found)
    return Deviation(float(difference.max()), float(difference.mean()), float(np.quantile(difference, 0.99)))


def _check_head(head: HeadSpec, expected: list[Heads], found: list[Heads]) -> Iterator[OutputCheck]:
    reference = np.stack([step[head.name] for step in expected])
    candidate = np.stack([step[head.name] for step in found])
    for column, output in enumerate(head.outputs):
        a, b = reference[:, column], candidate[:, column]
        varies = float(a.std()) > VARIES * (output.range[1] - output.range[0])
        change = 1 - concordance(a, b) if varies else None
        yield OutputCheck(head.name, output.name, _deviation(a, b), change)


def _failures(check: OutputCheck, low: float, high: float) -> Iterator[str]:
    name = f"{check.head}.{check.output}"
    limit = P99_LIMIT * (high - low)
    if not np.isfinite(check.deviation.max):
        yield f"{name}: the candidate gives numbers that are not finite"
        return
    if check.deviation.p99 > limit:
        yield f"{name}: p99 |Δ| is {check.deviation.p99:.4f}, at most {limit:.4f} is allowed"
    if check.ccc_change is not None and check.ccc_change > CCC_LIMIT:
        yield f"{name}: CCC changes by {check.ccc_change:.4f}, at most {CCC_LIMIT} is allowed"
