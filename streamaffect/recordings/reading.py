"""Reading recordings: JSON Lines, first a header, then one wire message per line (docs/recordings.md).

A recording may end in the middle of a line, since its writer may have been killed: that line is ignored and reported.
"""

from collections.abc import Iterator
from pathlib import Path

from streamaffect.errors import RecordingError, WireError
from streamaffect.feed import wire
from streamaffect.recordings.header import MAX_HEADER_BYTES, REMEDY, RecordingHeader, decode_header
from streamaffect.types import Message


class Recording:
    """The header and, by iterating, the messages of a recording. Each iteration reads the file from its start.

    torn:       True once an iteration has met a last line that was never written to its end
    bytes_read: how far the latest iteration has come
    """

    def __init__(self, path: Path, header: RecordingHeader) -> None:
        self.path = path
        self.header = header
        self.torn = False
        self.bytes_read = 0

    def __iter__(self) -> Iterator[Message]:
        """The messages in the order of the file. Raises RecordingError with the number of a line that is broken."""
        try:
            with self.path.open("rb") as file:
                self.bytes_read = len(file.readline())
                for number, line in enumerate(file, start=2):
                    self.bytes_read += len(line)
                    message = self._decode(line, number)
                    if message is not None:
                        yield message
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _decode(self, line: bytes, number: int) -> Message | None:
        """The message; None for a torn last line, and for kinds that a later release of this schema has added."""
        try:
            return wire.decode(line)
        except WireError as error:
            if not line.endswith(b"\n"):
                self.torn = True
                return None
            raise RecordingError(
                f"{self.path}: line {number}: {error}; the file was altered: delete this line or use a copy"
            ) from error


def read_recording(path: str | Path) -> Recording:
    """Open a recording and read its header; the messages are read while they are iterated over.

    Raises RecordingError where there is no file, where it is not a recording, or where its version is not known.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            line = file.readline(MAX_HEADER_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    return Recording(path, decode_header(path, line))


def _unreadable(path: Path, error: OSError) -> RecordingError:
    return RecordingError(f"{path}: cannot be read ({error.strerror or error}); {REMEDY}")
