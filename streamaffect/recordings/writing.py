"""Writing recordings: a header, then one wire message per line, each given to the system as a whole and at once.

What is lost. Killed process: nothing that was appended, since each line is one unbuffered write. Power failure: what
came after the last `sync`. Full disk: the lines for which there was no room, and no others.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from streamaffect.errors import RecordingError
from streamaffect.feed.wire import encode
from streamaffect.messages import Message
from streamaffect.recordings.header import RecordingHeader, encode_header, is_recording
from streamaffect.recordings.output_file import (
    check_output,
    create,
    part_path,
    remove_dead_parts,
    take_name,
    unwritable,
)


def check_recording(path: Path, *, overwrite: bool, inputs: Sequence[Path] = ()) -> None:
    """Raise RecordingError where a recording cannot be made at `path`. Of what exists, only a recording is replaced.

    inputs: files that the run reads
    """
    check_output(path, overwrite=overwrite, inputs=inputs, objection=_objection)


class RecordingWriter:
    """A recording that grows. The file exists, with its header, once the writer is built.

    With `overwrite` an existing recording is replaced when the first message comes, not before. One thread at a time.

    is_dirty: True while there are lines that a power failure would take
    """

    def __init__(
        self, path: Path, header: RecordingHeader, *, overwrite: bool = False, inputs: Sequence[Path] = ()
    ) -> None:
        """Create the file. Raises RecordingError where it cannot be written, and then leaves nothing behind."""
        check_recording(path, overwrite=overwrite, inputs=inputs)
        remove_dead_parts(path)
        self.is_dirty = False
        self._path = path
        self._written_to = part_path(path) if overwrite else path
        self._size = 0
        self._is_torn = False
        try:
            self._file = create(self._written_to)
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            self._write(encode_header(header))
        except RecordingError:
            self._file.close()
            self._written_to.unlink(missing_ok=True)
            raise

    def append(self, message: Message) -> None:
        """Write a message. Raises RecordingError where the system refuses, as on a full disk; the file stays whole.

        An error that is `transient` is about this message alone: the next one may be written again.
        """
        self._claim_name()
        self._write(encode(message))

    @property
    def is_closed(self) -> bool:
        """True after `close`."""
        return self._file.closed

    def sync(self) -> None:
        """Bring to the disk what has been written. Raises RecordingError, `transient` where it may work later."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self._path, error) from error
        self.is_dirty = False

    def place(self) -> str | None:
        """What is wrong with where the file stands: None, "moved", or "removed" where nothing can be read any more."""
        ours = os.fstat(self._file.fileno())
        with suppress(OSError):
            found = self._written_to.stat(follow_symlinks=False)
            if (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino):
                return None
        return "moved" if ours.st_nlink else "removed"

    def close(self) -> None:
        """Bring everything to the disk and close the file. Calling it again does nothing."""
        if self._file.closed:
            return
        try:
            self._claim_name()
            self.sync()
        finally:
            self._file.close()
            if self._written_to != self._path:
                self._written_to.unlink(missing_ok=True)

    def _claim_name(self) -> None:
        if self._written_to == self._path:
            return
        try:
            take_name(self._written_to, self._path, overwrite=True)
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._written_to = self._path

    def _write(self, line: bytes) -> None:
        """Append the line as a whole, or not at all."""
        content = line + b"\n"
        self.is_dirty = True
        try:
            if self._is_torn:
                os.ftruncate(self._file.fileno(), self._size)
                self._is_torn = False
            written = 0
            while written < len(content):
                written += os.pwrite(self._file.fileno(), content[written:], self._size + written)
        except OSError as error:
            self._is_torn = True
            with suppress(OSError):
                os.ftruncate(self._file.fileno(), self._size)
                self._is_torn = False
            raise unwritable(self._path, error) from error
        self._size += len(content)


def _objection(path: Path) -> str | None:
    """Why a file is not replaced by a recording."""
    if path.stat().st_size and not is_recording(path):
        return "is no recording, and is not replaced by one; choose another name, or remove the file first"
    return None
