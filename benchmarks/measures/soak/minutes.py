"""From what was seen second by second to figures by minute, and to what they come to in all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from benchmarks.measures.report import percentiles
from benchmarks.measures.soak.process import ProcessState


@dataclass(slots=True)
class Seen:
    """What the subscriber and the sampler have seen, times in seconds since the warm-up ended; before it, below 0.

    arrivals:  (when, milliseconds from capture to the subscriber) of each estimate
    lost:      (when, how many estimates have been lost in all until then), each second
    states:    of the process, each second
    absences:  (from, to) when the camera was away
    """

    arrivals: list[tuple[float, float]] = field(default_factory=list)
    lost: list[tuple[float, int]] = field(default_factory=list)
    states: list[ProcessState] = field(default_factory=list)
    absences: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute. Latencies are None where the camera was away all the time, `back_s` where it was not away.

    p50_ms, p99_ms: from capture to the subscriber
    lost:           estimates that were published and never came
    back_s:         from the camera's return to the first estimate
    """

    minute: int
    estimates: int
    lost: int
    p50_ms: float | None
    p99_ms: float | None
    memory_mb: float
    threads: int
    descriptors: int
    cpu_share: float
    back_s: float | None


def minutes_of(seen: Seen) -> list[Minute]:
    """The whole minutes that count; of a shorter run, what there is of its first."""
    whole = max(1, int((seen.states[-1].at_s + 1) // 60))
    return [_minute(seen, number) for number in range(whole)]


def _minute(seen: Seen, number: int) -> Minute:
    start_s, end_s = number * 60.0, (number + 1) * 60.0
    latencies = [ms for at_s, ms in seen.arrivals if start_s <= at_s < end_s]
    states = [state for state in seen.states if start_s <= state.at_s < end_s]
    lost = [count for at_s, count in seen.lost if at_s < end_s]
    before = [count for at_s, count in seen.lost if at_s < start_s]
    p50_ms, p99_ms = percentiles(latencies, (0.5, 0.99)) if latencies else (None, None)
    returns = [back_s(seen, to_s) for from_s, to_s in seen.absences if start_s <= from_s < end_s]
    known = [wait_s for wait_s in returns if wait_s is not None]
    passed_s = states[-1].at_s - states[0].at_s
    return Minute(
        minute=number,
        estimates=len(latencies),
        lost=max(lost, default=0) - max(before, default=0),
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        memory_mb=float(np.median([state.memory_mb for state in states])),
        threads=max(state.threads for state in states),
        descriptors=max(state.descriptors for state in states),
        cpu_share=(states[-1].cpu_s - states[0].cpu_s) / passed_s if passed_s else 0.0,
        back_s=max(known, default=None),
    )


def back_s(seen: Seen, returned_s: float) -> float | None:
    """Seconds from the camera's return to the first estimate; None where none came any more."""
    return next((at_s - returned_s for at_s, _ in seen.arrivals if at_s > returned_s), None)


def after_warm_up(seen: Seen) -> list[ProcessState]:
    """The states that count."""
    return [state for state in seen.states if state.at_s >= 0.0]


def memory_slope_mb_h(states: Sequence[ProcessState]) -> float:
    """By how much resident memory grows in an hour, by least squares."""
    hours = np.array([state.at_s / 3600 for state in states])
    return float(np.polyfit(hours, [state.memory_mb for state in states], 1)[0])


def drift_ms(seen: Seen) -> float:
    """p99 of the last third of the run less that of the third before it."""
    end_s = seen.states[-1].at_s
    thirds = [
        [ms for at_s, ms in seen.arrivals if low * end_s <= at_s < high * end_s]
        for low, high in pairwise((1 / 3, 2 / 3, 1.01))
    ]
    earlier, later = (percentiles(third, (0.99,))[0] if third else float("nan") for third in thirds)
    return later - earlier
