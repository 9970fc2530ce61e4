"""What cameras and network streams have in common: a grabber behind a source that can be opened again."""

import threading
from collections.abc import Callable

from streamaffect.clock import Clock
from streamaffect.errors import SourceEndedError, SourceOpenError, SourceStalledError
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import SourceInfo, SourceKind
from streamaffect.sources.grabber import Capture, Grabbed, Grabber
from streamaffect.types import Frame


class LiveCapture:
    """Frames of one live address over any number of connections; `Frame.index` counts on across them."""

    def __init__(self, *, kind: SourceKind, label: str, settings: SourceSettings) -> None:
        self._kind = kind
        self._label = label
        self._settings = settings
        self._clock = Clock.now()
        self._lock = threading.Lock()
        self._grabber: Grabber | None = None
        self._closed = False
        self._first_index = 0
        self._last_index = -1

    def open(
        self, connect: Callable[[], Capture], *, silence_hint: str, cancel: Callable[[], None] = lambda: None
    ) -> SourceInfo:
        """Replace the connection by a new one and wait for its first frame.

        cancel: ends what `connect` and its capture wait for, from any thread

        Raises:
            SourceOpenError: none came within the timeouts; `silence_hint` says what may be wrong.
            SourceEndedError: `close` was called.
        """
        grabber = self._replace_grabber(connect, cancel)
        try:
            first = self._first(grabber, silence_hint)
        except BaseException:
            grabber.close()
            raise
        height, width = first.picture.shape[:2]
        return SourceInfo(
            kind=self._kind,
            address=self._label,
            live=True,
            width=width,
            height=height,
            fps=grabber.fps,
            frames=None,
            duration_s=None,
        )

    def read(self) -> Frame:
        """The newest frame that was not read before; see `Source.read`."""
        grabber = self._grabber
        if grabber is None:
            raise SourceEndedError(f"{self._label}: is not open")
        grabbed = grabber.take(self._settings.read_timeout_s)
        self._last_index = self._first_index + grabbed.number
        utc_ns = self._clock.utc(grabbed.grabbed_ns)
        return Frame(grabbed.picture, self._last_index, grabbed.grabbed_ns * 1e-9, utc_ns, grabbed.grabbed_ns)

    def close(self) -> None:
        """End the connection for good."""
        with self._lock:
            self._closed = True
            grabber = self._grabber
        if grabber:
            grabber.close()

    def _first(self, grabber: Grabber, silence_hint: str) -> Grabbed:
        timeout_s = self._settings.open_timeout_s
        try:
            first = grabber.first(timeout_s)
        except SourceStalledError as error:
            raise SourceOpenError(f"{self._label}: connected, but gives no frame; {silence_hint}") from error
        if first is None:
            raise SourceOpenError(f"{self._label}: no frame within {timeout_s:g} s; {silence_hint}")
        return first

    def _replace_grabber(self, connect: Callable[[], Capture], cancel: Callable[[], None]) -> Grabber:
        with self._lock:
            if self._closed:
                raise SourceEndedError(f"{self._label}: was closed")
            if self._grabber:
                self._grabber.close()
            self._first_index = self._last_index + 1
            self._grabber = Grabber(connect, cancel=cancel, label=self._label)
            return self._grabber
