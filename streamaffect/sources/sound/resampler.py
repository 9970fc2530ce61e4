"""Sound of any kind to one channel at one rate.

FFmpeg mixes channels as players do, quietly enough that nothing is clipped. The filter keeps what it has seen for as
long as sound follows sound, through silence too: starting it anew would put a click into what is quiet.
"""

from typing import cast

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from streamaffect.sources.sound.stereo import CancelWatch, left_of
from streamaffect.types import FloatArray

Kind = tuple[str, str, int]


class Resampler:
    """Takes frames one after another; their kind may change on the way."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._kind: Kind | None = None
        self._filter: AudioResampler | None = None
        self._held_s = 0.0
        self._stereo = CancelWatch()

    @property
    def held_s(self) -> float:
        """Seconds of sound that have gone in and have not come out yet."""
        return self._held_s

    def take(self, frame: AudioFrame) -> FloatArray:
        """What comes out when a frame goes in: (N,) float32 in [-1, 1].

        Raises:
            FFmpegError, ValueError: sound of a kind that cannot be converted.
        """
        if self._stereo.sees(frame):
            frame = left_of(frame)
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        rest = self.rest() if kind != self._kind else None
        if self._filter is None:
            self._filter = _filter(self._rate_hz)
            self._kind = kind
        self._held_s += frame.samples / frame.sample_rate
        taken = self._joined(self._filter.resample(frame))
        return taken if rest is None else np.concatenate([rest, taken])

    def rest(self) -> FloatArray:
        """What is still held, at the end or before a gap."""
        ended, self._filter, self._kind = self._filter, None, None
        held = np.zeros(0, np.float32) if ended is None else self._joined(ended.resample(None))
        self._held_s = 0.0
        return held

    def _joined(self, frames: list[AudioFrame]) -> FloatArray:
        if not frames:
            return np.zeros(0, np.float32)
        joined = np.concatenate([cast(FloatArray, frame.to_ndarray()).reshape(-1) for frame in frames])
        self._held_s -= len(joined) / self._rate_hz
        return np.clip(joined, np.float32(-1.0), np.float32(1.0), out=joined)


def _filter(rate_hz: int) -> AudioResampler:
    # Without a limit, FFmpeg adds channels of floating-point sound up to beyond full scale.
    return AudioResampler(format="flt", layout="mono", rate=rate_hz, options={"rematrix_maxval": "1.0"})
