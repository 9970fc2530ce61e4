"""Keeping a source alive: a live source that has worked once is opened again for ever."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from streamaffect.clock import monotonic_ns
from streamaffect.errors import SourceEndedError, SourceError, SourceStalledError
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source
from streamaffect.types import Frame

SourceChange = Literal["source_lost", "source_back"]
OnChange = Callable[[SourceChange, float, str], None]

JITTER = 0.25


@dataclass(frozen=True)
class Backoff:
    """Waits that double from `min_s` to `max_s`, each spread by a quarter so that clients do not return all at once."""

    min_s: float = 0.5
    max_s: float = 30.0
    random: Random = field(default_factory=Random)

    @classmethod
    def of(cls, settings: SourceSettings) -> "Backoff":
        """The backoff that the settings ask for."""
        return cls(settings.backoff_min_s, settings.backoff_max_s)

    def wait_s(self, attempt: int) -> float:
        """Seconds to wait before attempt 0, 1, 2, …; never above `max_s`."""
        doubled = self.min_s * 2.0 ** min(attempt, 32)
        return min(self.max_s, doubled * self.random.uniform(1.0 - JITTER, 1.0 + JITTER))


def frames(source: Source, *, stop: threading.Event, on_event: OnChange, backoff: Backoff) -> Iterator[Frame]:
    """The frames of an open source until it ends or `stop` is set.

    When a live source stalls, `on_event("source_lost", 0.0, why)` is called and the source is opened again, with
    waits by `backoff` in between, for as long as it takes; with its next frame, `on_event("source_back",
    downtime_s, detail)`, where the downtime counts from the last frame. Index and time are strictly increasing
    throughout. The caller has opened the source, and closes it; closing also ends a wait in here.
    """
    supervisor = _Supervisor(source, stop, on_event, backoff)
    while not stop.is_set():
        try:
            frame = supervisor.next()
        except SourceEndedError:
            return
        if frame is not None:
            yield frame


class _Supervisor:
    def __init__(self, source: Source, stop: threading.Event, on_event: OnChange, backoff: Backoff) -> None:
        self._source = source
        self._stop = stop
        self._on_event = on_event
        self._backoff = backoff
        self._attempt = 0
        self._worked_since_ns = monotonic_ns()
        self._last_seen_ns = monotonic_ns()
        self._last: Frame | None = None

    def next(self) -> Frame | None:
        """The next frame; None where `stop` came first."""
        try:
            frame = self._source.read()
        except SourceStalledError as error:
            found = self._recover(error)
            if found is None:
                return None
            frame = found
        return self._keep(self._in_order(frame))

    def _recover(self, error: SourceStalledError) -> Frame | None:
        """Open the source until it gives a frame."""
        lost_ns = self._last_seen_ns
        self._on_event("source_lost", 0.0, str(error))
        if lost_ns - self._worked_since_ns > self._backoff.max_s * 1e9:
            self._attempt = 0
        while not self._stop.wait(self._backoff.wait_s(self._attempt)):
            self._attempt += 1
            try:
                self._source.open()
                frame = self._source.read()
            except SourceEndedError:
                raise
            except SourceError:
                continue
            self._worked_since_ns = monotonic_ns()
            self._on_event("source_back", (self._worked_since_ns - lost_ns) * 1e-9, self._geometry_change(frame))
            return frame
        return None

    def _geometry_change(self, frame: Frame) -> str:
        if self._last is None or self._last.image.shape == frame.image.shape:
            return "same picture size"
        (old_height, old_width), (height, width) = self._last.image.shape[:2], frame.image.shape[:2]
        return f"picture size changed from {old_width}x{old_height} to {width}x{height}"

    def _in_order(self, frame: Frame) -> Frame:
        """`frame`, moved behind the last one where a source counts anew after opening."""
        last = self._last
        if last is None or (frame.index > last.index and frame.time_s > last.time_s):
            return frame
        return replace(frame, index=max(frame.index, last.index + 1), time_s=max(frame.time_s, last.time_s + 1e-3))

    def _keep(self, frame: Frame) -> Frame:
        self._last = frame
        self._last_seen_ns = monotonic_ns()
        return frame
