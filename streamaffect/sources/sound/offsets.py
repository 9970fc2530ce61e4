"""By how much one clock is ahead of another, from readings of both that jitter.

What comes late says little, and nothing comes early, so of the last readings one of the smaller ones is taken. Clocks
drift apart by a few milliseconds a minute, which it follows; one that was set anew shows in all readings at once.
"""

from collections import deque

READINGS = 51
LATE = 0.75  # so many of the readings count as late
JUMP_S = 0.5
LONG_S = 2.0  # so long what had to wait may come in a burst


class ClockOffset:
    """Takes pairs of readings in the order of time."""

    def __init__(self) -> None:
        self._ahead_s: deque[float] = deque(maxlen=READINGS)
        self._apart_since_s: float | None = None
        self._seconds = 0.0

    @property
    def known(self) -> bool:
        """True from the first pair on."""
        return bool(self._ahead_s)

    @property
    def is_settled(self) -> bool:
        """True once enough is known; before, what came in a burst at the beginning may count too much."""
        return len(self._ahead_s) == READINGS

    @property
    def seconds(self) -> float:
        """What is to be added to the other clock; 0 where nothing is known."""
        return self._seconds

    def note(self, clock_s: float, other_s: float) -> None:
        """What both clocks have shown at one moment."""
        ahead_s = clock_s - other_s
        if self._ahead_s and self._has_jumped(ahead_s, clock_s):
            self.forget()
        if self._apart_since_s is None:
            self._ahead_s.append(ahead_s)
            self._seconds = sorted(self._ahead_s)[int((1 - LATE) * len(self._ahead_s))]

    def forget(self) -> None:
        """Begin anew."""
        self._ahead_s.clear()
        self._apart_since_s = None

    def _has_jumped(self, ahead_s: float, clock_s: float) -> bool:
        """True once readings are far from all before, for longer than a burst lasts."""
        if abs(ahead_s - self._seconds) <= JUMP_S:
            self._apart_since_s = None
            return False
        if self._apart_since_s is None:
            self._apart_since_s = clock_s
        return clock_s - self._apart_since_s > LONG_S
