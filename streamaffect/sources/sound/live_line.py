"""The sound of one live source, over any number of connections: one time line, in monotonic seconds."""

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.sources.sound.anchor import Anchor
from streamaffect.sources.sound.ear import Ear
from streamaffect.types import SOUND_RATE_HZ, FloatArray, SoundBlock, SoundClock


class LiveLine:
    """Takes samples with the monotonic time of the first one, and tells them to an ear as blocks."""

    def __init__(self, ear: Ear) -> None:
        self.ear = ear
        self._anchor = Anchor(SOUND_RATE_HZ)
        self._clock = Clock.now()
        self._by: tuple[SoundClock, bool] | None = None
        self._told: set[str] = set()

    def take(
        self, samples: FloatArray, time_s: float, clock: SoundClock, *, is_settled: bool, early_s: float = 0.0
    ) -> None:
        """The next samples; what was told before is left out, and a gap is told as one.

        samples:    (N,) float32
        time_s:     of the first one, monotonic
        early_s:    by so much it may come before its time
        is_settled: False while the clock is not known well yet; when it is, it is believed to the sample, once
        """
        # A mistake would be dear: what comes after it would be taken for what was there before.
        time_s = min(time_s, monotonic_ns() / 1e9 + early_s)
        if (clock, is_settled) != self._by:
            self._by = (clock, is_settled)
            self._anchor.doubt()
        for piece in self._anchor.place(samples, time_s):
            utc_ns = self._clock.utc(round(piece.time_s * 1e9))
            self.ear.hear(SoundBlock(piece.samples, piece.time_s, utc_ns, piece.heard), clock)

    def remark_once(self, text: str) -> None:
        """Something that a user has to know, told once over all connections."""
        if text not in self._told:
            self._told.add(text)
            self.ear.remark(text)

    def absent_once(self, text: str) -> None:
        """That there is nothing to hear, told once over all connections."""
        if text not in self._told:
            self._told.add(text)
            self.ear.absent(text)
