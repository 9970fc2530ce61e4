"""The recorder: a sink that writes a run's messages to a recording, and brings them to the disk each second."""

import time
from pathlib import Path

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.recordings.header import RecordingHeader
from streamaffect.recordings.writing import RecordingWriter
from streamaffect.sinks.publishing import published
from streamaffect.types import Health, Message, Meta

SYNC_S = 1.0


class Recorder:
    """A sink that records estimates and events, and health messages of live streams.

    The file exists, with its header, once the recorder is built, so that a path that cannot be written is refused
    before the run starts. With `overwrite` an existing file is replaced when the first message comes, not before.
    """

    name = "recorder"
    idle_s = SYNC_S

    def __init__(self, path: str | Path, header: RecordingHeader, *, overwrite: bool = False) -> None:
        """Create the file. Raises RecordingError where it cannot be written, and then leaves nothing behind."""
        self._writer = RecordingWriter(Path(path), header, overwrite=overwrite)
        self._live = header.live_streams
        self._clock = Clock.now()
        self._synced_at_s = time.monotonic()

    def send(self, message: Message) -> None:
        """Record a message. Raises RecordingError where the system refuses, as on a full disk; the file stays whole."""
        if isinstance(message, Meta) or (isinstance(message, Health) and message.stream not in self._live):
            return
        self._writer.append(published(message, self._clock.utc(monotonic_ns())))
        self.idle()

    def idle(self) -> None:
        """Bring to the disk what has been written, where the last time is `SYNC_S` ago."""
        if self._writer.is_dirty and time.monotonic() - self._synced_at_s >= SYNC_S:
            self._writer.sync()
            self._synced_at_s = time.monotonic()

    def close(self) -> None:
        """Bring everything to the disk and close the file. Calling it again does nothing."""
        self._writer.close()
