"""The recorder: writes a run's messages to a recording (see `streamaffect.recordings.reading`), one line each.

What is lost. Killed process: nothing that was sent, since each line is one unbuffered write. Power failure: what came
after the last fsync, which happens every `SYNC_S` seconds and at the end.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import RecordingError
from streamaffect.feed.wire import encode
from streamaffect.recordings.output_file import check_output, part_path, unwritable
from streamaffect.recordings.reading import RecordingHeader, encode_header
from streamaffect.sinks.publishing import published
from streamaffect.types import Health, Message, Meta

SYNC_S = 1.0


class Recorder:
    """A sink that records estimates and events, and health messages of live streams.

    The file exists, with its header, once the recorder is built, so that a path that cannot be written is refused
    before the run starts. With `overwrite` an existing file is replaced when the first message comes, not before.
    Used by one thread at a time.
    """

    name = "recorder"
    idle_s = SYNC_S

    def __init__(self, path: str | Path, header: RecordingHeader, *, overwrite: bool = False) -> None:
        """Create the file. Raises RecordingError where it cannot be written, and then leaves nothing behind."""
        self.path = Path(path)
        check_output(self.path, overwrite=overwrite)
        self._written_to = part_path(self.path) if overwrite else self.path
        self._live = header.live_streams
        self._clock = Clock.now()
        self._size = 0
        self._synced_at_s = time.monotonic()
        self._is_dirty = False
        try:
            self._file = self._written_to.open("xb", buffering=0)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            self._write(encode_header(header))
        except RecordingError:
            self.discard()
            raise

    def send(self, message: Message) -> None:
        """Append a message. Raises RecordingError where the system refuses, as on a full disk; the file stays whole."""
        if isinstance(message, Meta) or (isinstance(message, Health) and message.stream not in self._live):
            return
        self._claim_name()
        self._write(encode(published(message, self._clock.utc(monotonic_ns()))))
        self.idle()

    def idle(self) -> None:
        """Bring to the disk what has been written, where the last time is `SYNC_S` ago."""
        if self._is_dirty and time.monotonic() - self._synced_at_s >= SYNC_S:
            self._sync()

    def close(self) -> None:
        """Bring everything to the disk and close the file. Calling it again does nothing."""
        if self._file.closed:
            return
        try:
            self._claim_name()
            self._sync()
        finally:
            self._file.close()

    def discard(self) -> None:
        """Remove the file of a run that never started; one that was to be replaced stays as it was."""
        self._file.close()
        self._written_to.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _claim_name(self) -> None:
        if self._written_to == self.path:
            return
        try:
            self._written_to.replace(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._written_to = self.path

    def _write(self, line: bytes) -> None:
        """Append the line as a whole, or not at all."""
        rest = memoryview(line + b"\n")
        self._is_dirty = True
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):
                self._file.seek(self._size)
                self._file.truncate()
            raise unwritable(self.path, error) from error
        self._size += len(line) + 1

    def _sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._synced_at_s = time.monotonic()
        self._is_dirty = False
