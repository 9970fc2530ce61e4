"""The recorder: a sink that writes a run's messages to a recording, and brings them to the disk each second."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import RecordingError
from streamaffect.messages import Health, Message, Meta
from streamaffect.recordings.header import RecordingHeader
from streamaffect.recordings.writing import RecordingWriter
from streamaffect.sinks.publishing import published

log = logging.getLogger(__name__)

SYNC_S = 1.0


class Recorder:
    """A sink that records estimates and events, and health messages of live streams.

    The file exists, with its header, once the recorder is built, so that a path that cannot be written is refused
    before the run starts. With `overwrite` an existing recording is replaced when the first message comes, not before.
    Where a disk is full for a while, recording goes on afterwards, and what is missing is said.

    inputs: files that the run reads, which are never replaced
    """

    name = "recorder"
    idle_s = SYNC_S

    def __init__(
        self, path: str | Path, header: RecordingHeader, *, overwrite: bool = False, inputs: Sequence[Path] = ()
    ) -> None:
        """Create the file. Raises RecordingError where it cannot be written, and then leaves nothing behind."""
        self._path = Path(path)
        self._writer = RecordingWriter(self._path, header, overwrite=overwrite, inputs=inputs)
        self._live = set(header.live_streams)
        self._streams = {recorded.stream for recorded in header.streams}
        self._clock = Clock.now()
        self._synced_at_s = time.monotonic()
        self._refused_since_s: float | None = None
        self._missing = self._missing_in_all = 0
        self._moved = False

    def send(self, message: Message) -> None:
        """Record a message. Raises RecordingError where nothing can be recorded any more; the file stays whole."""
        if isinstance(message, Health) and message.stream not in self._live:
            return
        if isinstance(message, Meta) and not self._is_new(message):
            return
        try:
            self._writer.append(published(message, self._clock.utc(monotonic_ns())))
        except RecordingError as error:
            if not error.transient:
                raise
            self._miss(error)
        else:
            self._go_on()
        self.idle()

    def _is_new(self, meta: Meta) -> bool:
        """True for a stream that was added: the header says all of the others."""
        if meta.stream in self._streams:
            return False
        self._streams.add(meta.stream)
        if meta.live:
            self._live.add(meta.stream)
        return True

    def idle(self) -> None:
        """Each second: bring to the disk what has been written, and see whether the file is still in its place.

        Raises RecordingError where it is not.
        """
        now_s = time.monotonic()
        if now_s - self._synced_at_s < SYNC_S:
            return
        self._synced_at_s = now_s
        self._look_at_place()
        if self._writer.is_dirty:
            try:
                self._writer.sync()
            except RecordingError as error:
                if not error.transient:
                    raise
                self._complain(error)

    def close(self) -> None:
        """Bring everything to the disk and close the file. Calling it again does nothing.

        Raises RecordingError where the recording is not all that was to be recorded.
        """
        try:
            if not self._writer.is_closed:
                self._look_at_place()
        finally:
            self._writer.close()
        missing, self._missing_in_all = self._missing_in_all, 0
        moved, self._moved = self._moved, False
        if missing:
            raise RecordingError(f"{self._path}: lacks {missing} messages that the system refused to write")
        if moved:
            raise RecordingError(f"{self._path}: was moved while it was recorded, and is complete where it is now")

    def _look_at_place(self) -> None:
        place = self._writer.place()
        if place == "removed":
            raise RecordingError(
                f"{self._path}: was removed or replaced while it was recorded; what had been recorded is gone"
            )
        if place == "moved" and not self._moved:
            self._moved = True
            log.warning("%s: was moved while it is being recorded; recording goes on in the moved file", self._path)

    def _miss(self, error: RecordingError) -> None:
        self._missing += 1
        self._missing_in_all += 1
        self._complain(error)

    def _complain(self, error: RecordingError) -> None:
        if self._refused_since_s is None:
            self._refused_since_s = time.monotonic()
            log.error("%s; it is tried again with each message", error)

    def _go_on(self) -> None:
        if self._refused_since_s is None:
            return
        away_s = time.monotonic() - self._refused_since_s
        lacks = f"; {self._missing} messages are missing" if self._missing else ""
        log.warning("%s: recording goes on after %.1f s%s", self._path, away_s, lacks)
        self._refused_since_s, self._missing = None, 0
