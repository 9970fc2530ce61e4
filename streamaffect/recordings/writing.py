"""Writing recordings: a header, then one wire message per line, each given to the system as a whole and at once.

What is lost. Killed process: nothing that was appended, since each line is one unbuffered write. Power failure: what
came after the last `sync`.
"""

import os
from contextlib import suppress
from pathlib import Path

from streamaffect.errors import RecordingError
from streamaffect.feed.wire import encode
from streamaffect.recordings.header import RecordingHeader, encode_header
from streamaffect.recordings.output_file import check_output, part_path, unwritable
from streamaffect.types import Message


class RecordingWriter:
    """A recording that grows. The file exists, with its header, once the writer is built.

    With `overwrite` an existing file is replaced when the first message comes, not before. One thread at a time.

    is_dirty: True while there are lines that a power failure would take
    """

    def __init__(self, path: Path, header: RecordingHeader, *, overwrite: bool = False) -> None:
        """Create the file. Raises RecordingError where it cannot be written, and then leaves nothing behind."""
        check_output(path, overwrite=overwrite)
        self.is_dirty = False
        self._path = path
        self._written_to = part_path(path) if overwrite else path
        self._size = 0
        try:
            self._file = self._written_to.open("xb", buffering=0)
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            self._write(encode_header(header))
        except RecordingError:
            self._file.close()
            self._written_to.unlink(missing_ok=True)
            raise

    def append(self, message: Message) -> None:
        """Write a message. Raises RecordingError where the system refuses, as on a full disk; the file stays whole."""
        self._claim_name()
        self._write(encode(message))

    def sync(self) -> None:
        """Bring to the disk what has been written."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self._path, error) from error
        self.is_dirty = False

    def close(self) -> None:
        """Bring everything to the disk and close the file. Calling it again does nothing."""
        if self._file.closed:
            return
        try:
            self._claim_name()
            self.sync()
        finally:
            self._file.close()

    def _claim_name(self) -> None:
        if self._written_to == self._path:
            return
        try:
            self._written_to.replace(self._path)
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._written_to = self._path

    def _write(self, line: bytes) -> None:
        """Append the line as a whole, or not at all."""
        rest = memoryview(line + b"\n")
        self.is_dirty = True
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):
                self._file.seek(self._size)
                self._file.truncate()
            raise unwritable(self._path, error) from error
        self._size += len(line) + 1
