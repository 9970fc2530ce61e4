"""The time line of a file: container timestamps, made strictly increasing where the container's are not."""

from collections.abc import Sequence

DISCONTINUITY_S = 1.0


class ContainerClock:
    """Turns the timestamps of frames in reading order into strictly increasing seconds.

    Sound timestamps pass unchanged. A missing one continues at the frame rate; one that repeats or goes back a
    little is placed half a frame after its predecessor, so that the next sound one is still later; one that goes
    back by more than a second is the start of a joined recording, and everything after it is shifted.
    """

    def __init__(self, *, fps: float | None) -> None:
        self._period_s = 1.0 / fps if fps else 0.04
        self._offset_s = 0.0
        self._offsets_s = [0.0]
        self._last_s: float | None = None

    @property
    def offsets_s(self) -> Sequence[float]:
        """What was added to the timestamps of each recording that was joined to the one before; first 0."""
        return self._offsets_s

    def next(self, pts_s: float | None) -> float:
        """Seconds of the next frame. `pts_s` is None where the container gives no timestamp."""
        last = self._last_s
        if last is None:
            time_s = pts_s or 0.0
        elif pts_s is None:
            time_s = last + self._period_s
        else:
            time_s = self._after(last, pts_s)
        self._last_s = time_s
        return time_s

    def _after(self, last_s: float, pts_s: float) -> float:
        time_s = pts_s + self._offset_s
        if time_s > last_s:
            return time_s
        if last_s - time_s <= DISCONTINUITY_S:
            return last_s + self._period_s / 2
        self._offset_s = last_s + self._period_s - pts_s
        self._offsets_s.append(self._offset_s)
        return last_s + self._period_s
