"""The last seconds of sound, by absolute time: any window of them, and what of it was heard."""

import threading
from dataclasses import dataclass

import numpy as np

from streamaffect.types import SOUND_RATE_HZ, BoolArray, FloatArray, SoundBlock

KEEP_S = 60.0  # offline, sound is read some way ahead of the estimates


@dataclass(frozen=True, slots=True)
class SoundWindow:
    """Sound from `start_s` on, one value a sample.

    samples: (N,) float32 in [-1, 1], mono at 16 kHz; 0 where nothing was heard
    heard:   (N,) bool, False for gaps, for what was before the first sound, for what has not come yet and for what is
             not kept any more
    """

    start_s: float
    samples: FloatArray
    heard: BoolArray

    @property
    def share_heard(self) -> float:
        """In [0, 1]; 0 for a window without length."""
        return float(self.heard.mean()) if len(self.heard) else 0.0


class SoundRing:
    """Keeps the newest `keep_s` seconds. One thread pushes, any thread reads.

    What has once been written stays: a block, or the beginning of one, that comes a second time changes nothing.
    """

    def __init__(self, keep_s: float = KEEP_S) -> None:
        self._size = round(keep_s * SOUND_RATE_HZ)
        self._samples = np.zeros(self._size, np.float32)
        self._heard = np.zeros(self._size, np.bool_)
        self._lock = threading.Lock()
        self._start = self._end = 0  # in samples since time 0: what is kept is [start, end)
        self._is_empty = True

    @property
    def start_s(self) -> float | None:
        """From when on sound is kept; None before the first block."""
        return None if self._is_empty else self._start / SOUND_RATE_HZ

    @property
    def end_s(self) -> float | None:
        """Until when sound has come, gaps included; None before the first block."""
        return None if self._is_empty else self._end / SOUND_RATE_HZ

    def push(self, block: SoundBlock) -> None:
        """Write a block; what lies between it and the last one was not heard."""
        first, samples = round(block.time_s * SOUND_RATE_HZ), block.samples
        with self._lock:
            if self._is_empty:
                self._start = self._end = first
                self._is_empty = False
            if first < self._end:
                samples = samples[self._end - first :]
                first = self._end
            if not len(samples):
                return
            self._skip_to(max(first, first + len(samples) - self._size))
            samples = samples[-self._size :]
            self._write(samples, heard=block.heard)

    def read(self, start_s: float, end_s: float) -> SoundWindow:
        """The window [start_s, end_s), rounded to samples, of any place and length."""
        first, last = round(start_s * SOUND_RATE_HZ), round(end_s * SOUND_RATE_HZ)
        count = max(0, last - first)
        samples, heard = np.zeros(count, np.float32), np.zeros(count, np.bool_)
        with self._lock:
            low, high = max(first, self._start), min(last, self._end)
            if low < high:
                for target, place in self._places(low, high):
                    where = slice(target.start - first, target.stop - first)
                    samples[where], heard[where] = self._samples[place], self._heard[place]
        return SoundWindow(first / SOUND_RATE_HZ, samples, heard)

    def _skip_to(self, first: int) -> None:
        """Let what lies before `first` be unheard, as far as it is kept."""
        count = min(first - self._end, self._size)
        self._end = first - count
        if count > 0:
            self._write(np.zeros(count, np.float32), heard=False)

    def _write(self, samples: FloatArray, *, heard: bool) -> None:
        begin, self._end = self._end, self._end + len(samples)
        for target, place in self._places(begin, self._end):
            self._samples[place] = samples[target.start - begin : target.stop - begin]
            self._heard[place] = heard
        self._start = max(self._start, self._end - self._size)

    def _places(self, low: int, high: int) -> list[tuple[slice, slice]]:
        """Of the samples [low, high): stretches of them, and where they lie in the ring."""
        at, count = low % self._size, high - low
        first = min(count, self._size - at)
        places = [(slice(low, low + first), slice(at, at + first))]
        if first < count:
            places.append((slice(low + first, high), slice(0, count - first)))
        return places
