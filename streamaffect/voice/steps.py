"""The steps of one track, as a joint fusion reads them: a clip vector, what was heard, and marks of what was not there.

A step is a clip's length away from the next one; the newest ends now. Everything here is bookkeeping of time.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from streamaffect.types import FloatArray
from streamaffect.voice.joint import StepWindow

SLACK_S = 1e-6
SEEN = 0.5  # share of genuine samples from which on a clip shows a face


@dataclass(frozen=True, slots=True)
class _Moment:
    """clip: (C,) float32; None where the face was hidden; sound: (F,) of what was heard; None where nothing was."""

    time_s: float
    clip: FloatArray | None
    sound: FloatArray | None


class StepMemory:
    """Of one track. steps: T; step_s: from one to the next; widths: C and F."""

    def __init__(self, steps: int, step_s: float, widths: tuple[int, int]) -> None:
        self._ages: list[float] = [step_s * back for back in range(steps - 1, -1, -1)]
        self._tolerance_s = step_s / 2
        self._widths = widths
        self._moments: deque[_Moment] = deque()

    def push(self, time_s: float, clip: FloatArray, coverage: float, sound: FloatArray | None) -> None:
        """What there is at `time_s`, later than before. coverage: share of the clip's samples that are real."""
        while self._moments and time_s - self._moments[0].time_s > self._ages[0] + self._tolerance_s + SLACK_S:
            self._moments.popleft()
        self._moments.append(_Moment(time_s, clip if coverage >= SEEN else None, sound))

    def window(self) -> StepWindow:
        """The steps that end with the newest moment, the nearest moment for each. Raises LookupError where none is."""
        if not self._moments:
            raise LookupError("nothing was pushed yet")
        end_s = self._moments[-1].time_s
        times = np.array([moment.time_s for moment in self._moments])
        count, (clip_dim, sound_dim) = len(self._ages), self._widths
        visual, audio = np.zeros((count, clip_dim), np.float32), np.zeros((count, sound_dim), np.float32)
        heard, seen, valid = np.zeros((3, count), np.bool_)
        for step, age_s in enumerate(self._ages):
            away_s = np.abs(times - (end_s - age_s))
            nearest = int(away_s.argmin())
            if away_s[nearest] >= self._tolerance_s - SLACK_S:
                continue
            moment, valid[step] = self._moments[nearest], True
            if moment.clip is not None:
                visual[step], seen[step] = moment.clip, True
            if moment.sound is not None:
                audio[step], heard[step] = moment.sound, True
        return StepWindow(visual, audio, heard, seen, valid)
