"""What of a video could not be decoded: counted while it is read, told once at its end."""

WATCHED_PICTURES = 40  # after an error: the gap that it leaves comes out of the decoder so much later at most
GAP = 1.5  # steps from one picture to the next that are this many times the usual one are a gap


class Damage:
    """Errors, and the gaps that they left in the time line.

    period_s: the usual step from one picture to the next
    """

    def __init__(self, period_s: float) -> None:
        self.errors = 0
        self.is_suspected = False
        self._period_s = period_s
        self._gaps: list[tuple[float, float]] = []
        self._watch = 0
        self._last_s: float | None = None
        self._pending = 0

    def error(self) -> None:
        """Note that a packet could not be read or decoded."""
        self.errors += 1
        self._pending += 1
        self.suspect()

    def suspect(self) -> None:
        """Note that something may be missing here; only a gap shows that it is."""
        self.is_suspected = True
        self._watch = WATCHED_PICTURES

    def picture(self, time_s: float) -> None:
        """Note a picture that came out, in the order of time."""
        if self._watch and self._last_s is not None and time_s - self._last_s > GAP * self._period_s:
            self._gaps.append((self._last_s, time_s))
        self._watch = max(0, self._watch - 1)
        self._pending = 0
        self._last_s = time_s

    @property
    def at_the_end(self) -> bool:
        """True where errors came and no picture after them."""
        return self._pending > 0

    def words(self, pictures: int) -> str | None:
        """What is missing among the pictures that were read, None where nothing is."""
        if self.errors == self._pending and not self._gaps:
            return None
        lost = sum(max(1, round((after - before) / self._period_s) - 1) for before, after in self._gaps)
        if not lost:
            return f"is damaged in {self.errors} place(s); all {pictures} pictures were read, some may look wrong"
        missing = f"is damaged: {lost} of {pictures + lost} pictures cannot be decoded"
        (before, after), last = self._gaps[0], self._gaps[-1][1]
        if len(self._gaps) == 1:
            return f"{missing}, a gap from {before:.2f} to {after:.2f} s; the rest was read"
        return f"{missing}, {len(self._gaps)} gaps from {before:.2f} to {last:.2f} s; the rest was read"
