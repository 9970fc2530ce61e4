"""From estimates that come when they come to samples at a fixed rate, in the order of time.

At each tick every place says what was last known of its face, if that is not too old, and NaN otherwise.
"""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Final

HOLD_S: Final = 0.5  # a value stands for so long; then there is none
STANDSTILL_S: Final = 10.0  # who has not asked for so long was not there: the ticks of that time are left out
Sample = Sequence[float]


class Grid:
    """The ticks of one stream, and what is known at them. All times are seconds on one clock that never steps.

    rate_hz: ticks per second
    empty:   the sample of a place that nobody is at
    """

    def __init__(self, rate_hz: float, places: int, empty: Sample) -> None:
        self._rate_hz = rate_hz
        self._empty = empty
        self._known: list[tuple[float, Sample] | None] = [None] * places
        self._tick = 0
        self._start_s: float | None = None

    def start(self, at_s: float) -> None:
        """Let the first tick be then; later calls change nothing."""
        self._start_s = at_s if self._start_s is None else self._start_s

    def put(self, place: int, at_s: float, values: Sample) -> None:
        """Note what is known of a place from then on. Ticks before it should have been taken."""
        self._known[place] = (at_s, values)

    def clear(self, place: int) -> None:
        """The face of this place has gone."""
        self._known[place] = None

    def due(self, until_s: float) -> Iterator[tuple[float, list[Sample]]]:
        """The ticks before `until_s` that were not given yet: when, and the sample of each place."""
        if self._start_s is not None and until_s - self._start_s - self._tick / self._rate_hz > STANDSTILL_S:
            self._tick = ceil((until_s - self._start_s) * self._rate_hz)
        while self._start_s is not None and (at_s := self._start_s + self._tick / self._rate_hz) < until_s:
            self._tick += 1
            yield at_s, [self._at(known, at_s) for known in self._known]

    def _at(self, known: tuple[float, Sample] | None, at_s: float) -> Sample:
        # A value from after the tick came too late for it.
        return known[1] if known is not None and 0.0 <= at_s - known[0] <= HOLD_S else self._empty
