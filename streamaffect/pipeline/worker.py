"""One stream's two threads: capture, which follows the source, and faces, which look at its frames."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from streamaffect.clock import monotonic_ns
from streamaffect.pipeline.channel import Channel, Closed, Mailbox
from streamaffect.pipeline.stages import FaceStage
from streamaffect.sources.base import Source, SourceInfo
from streamaffect.sources.supervise import Backoff, SourceChange, frames
from streamaffect.types import Frame, Sightings

log = logging.getLogger(__name__)

OFFLINE_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Stream:
    """A source that has been opened, its name on the wire, and the stage that will look at its frames."""

    name: str
    source: Source
    info: SourceInfo
    faces: FaceStage

    def close(self) -> None:
        """Let go of the source and of the detector."""
        self.source.close()
        self.faces.close()


class Worker:
    """The capture and face threads of one stream.

    on_source:  called in the capture thread when the source is lost, or back: stream, change, downtime, detail
    max_file_s: end a file after so long of its own time
    failure:    the first exception that ended a thread, None where there was none
    """

    def __init__(
        self,
        stream: Stream,
        mailbox: Mailbox[Sightings],
        stop: threading.Event,
        *,
        on_source: Callable[[str, SourceChange, float, str], None],
        backoff: Backoff,
        max_file_s: float | None,
    ) -> None:
        self.stream = stream
        self.failure: Exception | None = None
        self._mailbox = mailbox
        self._stop = stop
        self._on_change = partial(on_source, stream.name)
        self._backoff = backoff
        self._max_file_s = max_file_s
        live = stream.info.live
        self._frames: Channel[Frame] = Channel(1 if live else OFFLINE_FRAMES, newest_wins=live)
        self._threads = [
            threading.Thread(target=self._guard, args=(self._capture,), name=f"capture-{stream.name}", daemon=True),
            threading.Thread(target=self._guard, args=(self._look,), name=f"faces-{stream.name}", daemon=True),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Tell both threads to stop."""
        self._frames.close()
        self._mailbox.close(self.stream.name)
        self.stream.source.close()

    def join(self, deadline_ns: int) -> None:
        """Wait for both threads; one that is stuck in native code at the deadline is left behind as a daemon."""
        for thread in self._threads:
            thread.join(max(0.0, (deadline_ns - monotonic_ns()) / 1e9))
        if not any(thread.is_alive() for thread in self._threads):
            self.stream.faces.close()

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Closed:
            pass
        except Exception as error:
            log.error("%s: %s: %s", self.stream.name, type(error).__name__, error)
            self.failure = self.failure or error  # the first one; a second only follows from it
        finally:
            self._frames.close()
            if work == self._look:
                self._mailbox.close(self.stream.name)

    def _capture(self) -> None:
        first_s: float | None = None
        for frame in frames(self.stream.source, stop=self._stop, on_event=self._on_change, backoff=self._backoff):
            first_s = frame.time_s if first_s is None else first_s
            if self._max_file_s is not None and frame.time_s - first_s >= self._max_file_s:
                return
            self._frames.put(frame)

    def _look(self) -> None:
        while True:
            self._mailbox.put(self.stream.name, self.stream.faces.look(self._frames.get()))
