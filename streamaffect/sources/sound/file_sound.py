"""The sound that a reader of pictures comes across in its file, on its way to an ear."""

from collections import deque

from streamaffect.clock import Clock
from streamaffect.sources.sound.anchor import Anchor, Piece
from streamaffect.sources.sound.ear import Ear
from streamaffect.types import SOUND_RATE_HZ, FloatArray, SoundBlock


class FileSound:
    """Takes what a reader gives, and hands it over once the time of the pictures is known.

    track: which of several audio tracks, counted from 0; None is the file's default
    """

    def __init__(self, ear: Ear, track: int | None = None) -> None:
        self.track = track
        self._ear = ear
        self._anchor = Anchor(SOUND_RATE_HZ)
        self._waiting: deque[Piece] = deque()

    def take(self, samples: FloatArray, time_s: float | None) -> None:
        """The next sound; what was taken before is left out, so that a reader may begin again.

        samples: (N,) float32
        time_s:  of the first one, since the file's start; None where they follow what came before
        """
        self._waiting.extend(self._anchor.place(samples, time_s))

    def absent(self, reason: str) -> None:
        """There is none; one line that says why."""
        self._ear.absent(reason)

    def remark(self, text: str) -> None:
        """Something that a user has to know of it; one line."""
        self._ear.remark(text)

    def hand_over(self) -> None:
        """Of a file that is read offline: its own clock is the time."""
        while self._waiting:
            piece = self._waiting.popleft()
            block = SoundBlock(piece.samples, piece.time_s, round(piece.time_s * 1e9), piece.heard, piece.time_s)
            self._ear.hear(block, "container")

    def hand_over_live(self, shift_s: float, clock: Clock) -> None:
        """Of a file that is played by its clock. `shift_s` is the monotonic time at which it began."""
        while self._waiting:
            piece = self._waiting.popleft()
            time_s = piece.time_s + shift_s
            block = SoundBlock(piece.samples, time_s, clock.utc(round(time_s * 1e9)), piece.heard, piece.time_s)
            self._ear.hear(block, "container")
