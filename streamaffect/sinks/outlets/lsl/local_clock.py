"""Capture times on the clock of Lab Streaming Layer."""

from typing import Any, Final

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.feed.lab_streaming import lsl_ahead_ns

MEASURE_S: Final = 10.0


class LslTime:
    """Maps the wire's times to `local_clock`, by the monotonic clock, so that steps of the system clock change nothing.

    A stream whose times are not of now, as of a file or a recording, is laid down at the moment of its first message,
    and goes on by its own clock from there.
    """

    def __init__(self, lsl: Any) -> None:
        self._lsl = lsl
        self._anchors_s: dict[str, float] = {}
        self._measured_ns = monotonic_ns()
        self._ahead_ns = lsl_ahead_ns(self._lsl)

    def now_s(self) -> float:
        """`local_clock` now."""
        return float(self._lsl.local_clock())

    def of(self, t_ns: int) -> float:
        """When something was captured live, in seconds of `local_clock`."""
        clock, now_ns = Clock.now(), monotonic_ns()
        if now_ns - self._measured_ns > MEASURE_S * 1e9:
            self._measured_ns, self._ahead_ns = now_ns, lsl_ahead_ns(self._lsl)
        return (now_ns - clock.since_ns(t_ns, clock.utc(now_ns)) + self._ahead_ns) / 1e9

    def laid_down(self, stream: str, t_ns: int) -> float:
        """When something happened in a stream that has a time of its own."""
        if stream not in self._anchors_s:
            self._anchors_s[stream] = self.now_s() - t_ns / 1e9
        return self._anchors_s[stream] + t_ns / 1e9

    def forget(self, stream: str) -> None:
        """This stream is over; one of its name may be another one."""
        self._anchors_s.pop(stream, None)
