"""What a clip and its context are, written straight from their definition: plain Python over whole sequences.

Times are integers (milliseconds here, but any tick will do), so that "nearest" and "within half a period" are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    """A clip of `frames` samples, one each `period` ticks, among `past` clips before it and `future` after it."""

    frames: int
    period: int
    past: int
    future: int

    @property
    def length(self) -> int:
        return self.frames * self.period

    @property
    def clips(self) -> int:
        return self.past + 1 + self.future


@dataclass(frozen=True)
class OracleClip:
    """Which features a clip takes, oldest first, by their index in the whole sequence."""

    features: list[int]
    genuine: list[bool]

    @property
    def coverage(self) -> float:
        return sum(self.genuine) / len(self.genuine)


@dataclass(frozen=True)
class OracleContext:
    """Which clips a context takes, oldest first, by their index in the sequence of clip ends."""

    clips: list[int]
    valid: list[bool]

    @property
    def fill(self) -> float:
        return sum(self.valid) / len(self.valid)


@dataclass(frozen=True)
class OraclePrediction:
    """A prediction: made at the observation `step`, of the clip that ends at the observation `of` (both by index)."""

    step: int
    of: int
    clip: OracleClip | None
    context: OracleContext | None

    @property
    def is_refinement(self) -> bool:
        return self.step != self.of


def run_start(times: Sequence[int], geometry: Geometry) -> int:
    """Index of the first feature after the last gap that is longer than one clip."""
    gaps = [i for i in range(1, len(times)) if times[i] - times[i - 1] > geometry.length]
    return gaps[-1] if gaps else 0


def clip_at(times: Sequence[int], end: int, geometry: Geometry) -> OracleClip:
    """The clip that ends at `end`, of features seen at `times` (all not later than `end`, strictly increasing)."""
    known = range(run_start(times, geometry), len(times))
    features, genuine = [], []
    for i in reversed(range(geometry.frames)):
        wanted = end - i * geometry.period
        nearest = min(known, key=lambda row: (abs(times[row] - wanted), times[row]))
        is_genuine = 2 * abs(times[nearest] - wanted) <= geometry.period
        earlier = [row for row in known if times[row] <= wanted]
        features.append(nearest if is_genuine else max(earlier, default=known[0]))
        genuine.append(is_genuine)
    return OracleClip(features, genuine)


def context_at(ends: Sequence[int], first: int, end: int, geometry: Geometry) -> OracleContext:
    """The context of the clip that ends at `end`.

    ends: when the encoded clips end, oldest first; first: time of the track's first feature
    """
    chosen: list[int | None] = []
    for j in range(geometry.past, -geometry.future - 1, -1):
        wanted = end - j * geometry.length
        nearest = min(range(len(ends)), key=lambda row: (abs(ends[row] - wanted), ends[row]))
        is_valid = 2 * abs(ends[nearest] - wanted) < geometry.length and wanted >= first
        chosen.append(nearest if is_valid else None)
    oldest = min(row for row in chosen if row is not None)
    return OracleContext([oldest if row is None else row for row in chosen], [row is not None for row in chosen])


def predictions(times: Sequence[int], seen: Sequence[bool], geometry: Geometry) -> list[OraclePrediction]:
    """All predictions of one track that is observed at `times`, its face being visible where `seen`.

    Clips are numbered by the observation at which they end.
    """
    made: list[OraclePrediction] = []
    waiting: list[int] = []
    for step, now in enumerate(times):
        features = [i for i in range(step + 1) if seen[i]]
        if not features:
            made.append(OraclePrediction(step, step, None, None))
            continue
        feature_times = [times[i] for i in features]
        start = features[run_start(feature_times, geometry)]
        ends = [times[i] for i in range(start, step + 1)]
        is_gap = step > 0 and now - times[step - 1] > geometry.length
        waiting = [i for i in waiting if i >= start and not is_gap] + [step]
        due = [i for i in waiting if times[i] + geometry.future * geometry.length <= now and geometry.future]
        waiting = [i for i in waiting if i not in due]
        for of in [step, *due]:
            known = [i for i in features if i <= of]
            clip = clip_at([times[i] for i in known], times[of], geometry)
            context = context_at(ends, times[start], times[of], geometry)
            made.append(
                OraclePrediction(
                    step,
                    of,
                    OracleClip([known[row] for row in clip.features], clip.genuine),
                    OracleContext([start + row for row in context.clips], context.valid),
                )
            )
    return made
