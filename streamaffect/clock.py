"""The two clocks of a live stream: monotonic nanoseconds for durations, UTC nanoseconds for the wire."""

import time
from dataclasses import dataclass

RECENT_S = 5.0  # what a health message calls "the last seconds"


def monotonic_ns() -> int:
    """Nanoseconds that never go back; their zero has no meaning."""
    return time.perf_counter_ns()


@dataclass(frozen=True, slots=True)
class Clock:
    """UTC time that never jumps: one reading of the system clock, carried on by the monotonic clock.

    A step of the system clock (NTP, a laptop waking up) would otherwise bend the time line of a recording.
    """

    utc_ns: int
    at_monotonic_ns: int

    @classmethod
    def now(cls) -> "Clock":
        """Read both clocks together."""
        return cls(utc_ns=time.time_ns(), at_monotonic_ns=monotonic_ns())

    def utc(self, at_monotonic_ns: int) -> int:
        """UTC nanoseconds since 1970 of a monotonic reading."""
        return self.utc_ns + (at_monotonic_ns - self.at_monotonic_ns)
