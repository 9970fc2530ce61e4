"""Stereo whose channels cancel each other: mixed to one, nothing would be left to hear.

A balanced line in a stereo socket gives the same sound twice, once upside down, and so do some telephones' microphones.
"""

import numpy as np
from av.audio.frame import AudioFrame

from streamaffect.types import FloatArray

MEMORY_S = 0.1
LOST = 0.05  # the mix has so small a part of the energy: 13 dB are gone
SOUND_AGAIN = 0.2
# Full scale and zero of FFmpeg's sample formats.
FULL_SCALE = {
    "u8": (128.0, 128.0),
    "s16": (2.0**15, 0.0),
    "s32": (2.0**31, 0.0),
    "s64": (2.0**63, 0.0),
    "flt": (1.0, 0.0),
    "dbl": (1.0, 0.0),
}


class CancelWatch:
    """Says of each frame whether its channels cancel each other, by the energies of what has lately come."""

    def __init__(self) -> None:
        self._mixed = self._opposed = 0.0
        self._cancels = False

    def sees(self, frame: AudioFrame) -> bool:
        """True where one channel of a frame in stereo must be heard alone."""
        if frame.layout.nb_channels != 2:
            self._cancels = False
            return False
        left, right = _channels(frame)
        kept = np.exp(-frame.samples / frame.sample_rate / MEMORY_S)
        self._mixed = kept * self._mixed + _energy(left + right)
        self._opposed = kept * self._opposed + _energy(left - right)
        self._cancels = self._mixed < (SOUND_AGAIN if self._cancels else LOST) * self._opposed
        return self._cancels


def left_of(frame: AudioFrame) -> AudioFrame:
    """The left channel of a frame in stereo, at its time."""
    alone = AudioFrame.from_ndarray(np.ascontiguousarray(_channels(frame)[0][None]), format="fltp", layout="mono")
    alone.sample_rate, alone.pts = frame.sample_rate, frame.pts
    if frame.time_base is not None:
        alone.time_base = frame.time_base
    return alone


def _channels(frame: AudioFrame) -> FloatArray:
    """(2, N) float32 in [-1, 1]."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, 2).T
    full, zero = FULL_SCALE[frame.format.packed.name]
    return np.asarray((samples - zero) / full, np.float32)


def _energy(samples: FloatArray) -> float:
    return float(np.dot(samples, samples))
