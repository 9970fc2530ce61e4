"""Keeping a source alive: a live source that has worked once is opened again for ever."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from streamaffect.clock import monotonic_ns
from streamaffect.errors import SourceEndedError, SourceError, SourceForbiddenError, SourceStalledError
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source
from streamaffect.types import Frame

SourceChange = Literal["source_lost", "source_back"]
OnChange = Callable[[SourceChange, float, str], None]

JITTER = 0.25
FORBIDDEN_S = 60.0  # so long, refused credentials may yet be right: some cameras begin before they know anybody

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backoff:
    """Waits that double from `min_s` to `max_s`, each spread by a quarter so that clients do not return all at once.

    forbidden_s: the wait before a host is asked again that refuses the credentials, and has done so for a while
    """

    min_s: float = 0.25
    max_s: float = 0.75
    forbidden_s: float = 30.0
    random: Random = field(default_factory=Random)

    @classmethod
    def of(cls, settings: SourceSettings) -> "Backoff":
        """The backoff that the settings ask for."""
        return cls(settings.backoff_min_s, settings.backoff_max_s, settings.forbidden_wait_s)

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
        reasons = _Reasons(error)
        while not self._stop.wait(max(self._backoff.wait_s(self._attempt), self._forbidden_wait_s(reasons))):
            self._attempt += 1
            try:
                self._source.open()
                frame = self._source.read()
            except SourceEndedError:
                raise
            except SourceError as failure:
                reasons.note(failure)
                continue
            self._worked_since_ns = monotonic_ns()
            self._on_event("source_back", (self._worked_since_ns - lost_ns) * 1e-9, self._geometry_change(frame))
            return frame
        return None

    def _forbidden_wait_s(self, reasons: "_Reasons") -> float:
        return self._backoff.forbidden_s if reasons.forbidden_s > FORBIDDEN_S else 0.0

    def _geometry_change(self, frame: Frame) -> str:
        if self._last is None or self._last.picture.shape == frame.picture.shape:
            return "same picture size"
        (old_height, old_width), (height, width) = self._last.picture.shape[:2], frame.picture.shape[:2]
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


class _Reasons:
    """Why a source does not come back; each reason is told once."""

    def __init__(self, first: SourceError) -> None:
        self._told = {str(first)}
        self._forbidden_since_ns: int | None = None

    @property
    def forbidden_s(self) -> float:
        """For how long the host has been there and has refused the credentials."""
        since_ns = self._forbidden_since_ns
        return 0.0 if since_ns is None else (monotonic_ns() - since_ns) / 1e9

    def note(self, failure: SourceError) -> None:
        """Note how an attempt has failed."""
        if not isinstance(failure, SourceForbiddenError):
            self._forbidden_since_ns = None
        elif self._forbidden_since_ns is None:
            self._forbidden_since_ns = monotonic_ns()
        if str(failure) not in self._told:
            self._told.add(str(failure))
            log.warning("still away: %s", failure)
