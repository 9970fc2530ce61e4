"""The two clocks of a live stream: monotonic nanoseconds for order and durations, UTC nanoseconds for the wire.

There is one `Clock` in a process, so that times that different parts have taken can be compared to the nanosecond.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

RECENT_S = 5.0  # what a health message calls "the last seconds"
STEP_S = 0.1  # a system clock that is this far off has been set, or the machine has slept; it did not just drift
SLEW = 0.0005  # smaller differences are followed at half a millisecond a second
READ_WITHIN_NS = 1_000_000
ATTEMPTS = 5


def monotonic_ns() -> int:
    """Nanoseconds that never go back; their zero has no meaning. On most systems they stand still while it sleeps."""
    return time.perf_counter_ns()


@dataclass(frozen=True, slots=True)
class Step:
    """The system clock was set, or the machine has slept.

    number:  1, 2, …, in the order in which they were noticed; 0 stands for none
    by_s:    by so many seconds UTC went forward (or back, below 0) while the monotonic clock did not
    slept_s: how long the machine slept meanwhile; 0 where it did not, or does not say
    """

    number: int
    by_s: float
    slept_s: float

    def __str__(self) -> str:
        if self.slept_s > STEP_S:
            return f"the machine slept for {self.slept_s:.1f} s"
        return f"the system clock was set {abs(self.by_s):.3f} s {'forward' if self.by_s > 0 else 'back'}"


@dataclass(frozen=True, slots=True)
class Readings:
    """Of the same moment: the monotonic clock, UTC, and how long the machine has slept in all."""

    monotonic_ns: int
    utc_ns: int
    slept_ns: int


class Clock:
    """UTC of monotonic readings: the system clock, followed at its steps and carried on by the monotonic clock between.

    Any thread may ask; `follow` notices that the system clock was set, and is to be called often.
    """

    def __init__(self, read: Callable[[], Readings | None] | None = None) -> None:
        self._read = read or _read_clocks
        self._lock = threading.Lock()
        found = self._read() or Readings(monotonic_ns(), time.time_ns(), 0)
        self._offset_ns = found.utc_ns - found.monotonic_ns
        self._before_ns: int | None = None  # the offset before the last step
        self._slept_ns = found.slept_ns
        self._followed_ns = self._stepped_ns = found.monotonic_ns
        self._step = Step(0, 0.0, 0.0)

    @classmethod
    def now(cls) -> "Clock":
        """The clock of this process, whoever asks."""
        return _of_this_process()

    @property
    def last_step(self) -> Step:
        """The newest step; its number is 0 where there has been none."""
        return self._step

    def utc(self, at_monotonic_ns: int) -> int:
        """UTC nanoseconds since 1970 of a monotonic reading."""
        return at_monotonic_ns + self._offset_ns

    def since_ns(self, then_ns: int, now_ns: int) -> int:
        """Nanoseconds from `then_ns` to `now_ns`, by the monotonic clock, of two times that `utc` gave; never below 0.

        then_ns: may have been given before the last step, by the clock as it was then
        now_ns:  was given just now
        """
        with self._lock:
            stepped_ns, offset_ns, before_ns = self._stepped_ns, self._offset_ns, self._before_ns
        now_monotonic_ns, then_monotonic_ns = now_ns - offset_ns, then_ns - offset_ns
        if before_ns is not None and not stepped_ns <= then_monotonic_ns <= now_monotonic_ns:
            by_clock_before_ns = then_ns - before_ns
            then_monotonic_ns = by_clock_before_ns if by_clock_before_ns <= stepped_ns else then_monotonic_ns
        return max(0, now_monotonic_ns - then_monotonic_ns)

    def follow(self) -> None:
        """Read the system clock: follow a step at once, and a drift slowly."""
        found = self._read()
        if found is None:
            return
        with self._lock:
            elapsed_ns = max(0, found.monotonic_ns - self._followed_ns)
            self._followed_ns = found.monotonic_ns
            slept_ns, self._slept_ns = found.slept_ns - self._slept_ns, found.slept_ns
            ahead_ns = found.utc_ns - found.monotonic_ns - self._offset_ns
            if abs(ahead_ns) < STEP_S * 1e9:
                most_ns = round(SLEW * elapsed_ns)
                self._offset_ns += min(max(ahead_ns, -most_ns), most_ns)
                return
            self._before_ns, self._stepped_ns = self._offset_ns, found.monotonic_ns
            self._offset_ns += ahead_ns
            self._step = Step(self._step.number + 1, ahead_ns / 1e9, max(0, slept_ns) / 1e9)


@cache
def _of_this_process() -> Clock:
    return Clock()


def _read_clocks() -> Readings | None:
    """All of them within a millisecond; None where the machine is too busy for that."""
    for _ in range(ATTEMPTS):
        before_ns, utc_ns, with_sleep_ns = monotonic_ns(), time.time_ns(), _monotonic_with_sleep_ns()
        after_ns = monotonic_ns()
        if after_ns - before_ns <= READ_WITHIN_NS:
            return Readings(before_ns, utc_ns, with_sleep_ns - before_ns)
    return None


def _monotonic_with_sleep_ns() -> int:
    """A monotonic clock that goes on while the machine sleeps, where the system has one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime_ns(boot) if boot is not None else monotonic_ns()
