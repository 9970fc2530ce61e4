"""The time line of sound: samples are counted from an anchor, and anchored again where clock and count disagree.

A count alone would close gaps up, and everything after one would come too early; a clock alone jitters. So the count
holds as long as both agree to 40 ms. Beyond that the clock is right: what it has skipped was not heard and stays as a
gap, and what would come a second time is left out. Drift between two devices is followed in the same way.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streamaffect.types import FloatArray

SLACK_S = 0.040
LONGEST_GAP_S = 86_400.0  # a time stamp that is further ahead is damaged, or another recording begins

_NOTHING = np.zeros(1, np.float32)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one channel.

    samples: (N,) float32; of a gap zeros that take no memory, however long it is
    time_s:  of the first sample
    heard:   False for a gap
    """

    samples: FloatArray
    time_s: float
    heard: bool = True


class Anchor:
    """Places samples of one rate on a time line without overlaps; every time is a multiple of the sample period."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._slack = round(SLACK_S * rate_hz)
        self._next: int | None = None
        self._is_doubtful = False

    @property
    def end_s(self) -> float | None:
        """Where the next sample belongs if nothing is missing; None before the first one."""
        return None if self._next is None else self._next / self._rate_hz

    def doubt(self) -> None:
        """Believe the clock alone for the next samples: it is another one, or says for the first time what is right."""
        self._is_doubtful = True

    def place(self, samples: FloatArray, time_s: float | None) -> Iterator[Piece]:
        """The samples where they belong, after the gap before them if there is one.

        samples: (N,) float32
        time_s:  of the first one, by the clock; None where the clock says nothing
        """
        at = self._next if time_s is None else round(time_s * self._rate_hz)
        if at is None:
            at = 0
        before, slack = self._next, 0 if self._is_doubtful else self._slack
        self._is_doubtful = False
        if before is not None and abs(at - before) <= slack:
            at = before
        if before is not None and at != before:
            if at < before:
                samples = samples[before - at :]
                at = before
            elif at - before <= LONGEST_GAP_S * self._rate_hz:
                yield Piece(np.broadcast_to(_NOTHING, at - before), before / self._rate_hz, heard=False)
        self._next = at + len(samples)
        if len(samples):
            yield Piece(samples, at / self._rate_hz)
