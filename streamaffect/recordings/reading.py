"""Reading recordings: JSON Lines, first a header, then one wire message per line (docs/recordings.md).

A recording may end in the middle of a line, since its writer may have been killed, and have lines in the middle that a
failure of the power or the disk has damaged. Reading goes on behind them, and says what is missing. It ends where a
second recording begins, as in files that were put together: sequences and times start anew there.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from streamaffect.errors import RecordingError, WireError
from streamaffect.feed import wire
from streamaffect.messages import Estimate, Message
from streamaffect.paths import from_home
from streamaffect.recordings.header import BEGINNING, MAX_HEADER_BYTES, REMEDY, RecordingHeader, decode_header

MAX_LINE_BYTES = 1 << 20
_HEADER_KIND = "recording"


class Recording:
    """The header and, by iterating, the messages of a recording. Each iteration reads the file from its start.

    torn:       True once an iteration has met a last line that was never written to its end
    broken:     numbers of the lines before it that an iteration could not read; their messages are missing
    second:     number of the line in which a second recording begins; what stands from there on is not read
    missing:    estimates that the latest iteration found missing, by the gaps in `seq`
    bytes_read: how far the latest iteration has come
    """

    def __init__(self, path: Path, header: RecordingHeader) -> None:
        self.path = path
        self.header = header
        self.torn = False
        self.broken: set[int] = set()
        self.second: int | None = None
        self.missing = 0
        self.bytes_read = 0

    @property
    def complaint(self) -> str | None:
        """What is missing, as far as the file has been read, in words; None where nothing is."""
        words = []
        if self.broken:
            lines = "1 line is" if len(self.broken) == 1 else f"{len(self.broken)} lines are"
            missing = f", and {self.missing} estimates are missing in all" if self.missing else ""
            words.append(f"{lines} damaged and left out, the first is line {min(self.broken)}{missing}")
        if self.second is not None:
            words.append(
                f"a second recording begins in line {self.second} and is left out; cut the file before it to read that"
            )
        if self.torn:
            words.append("the last line is torn and was ignored")
        return "; ".join(words) or None

    def __iter__(self) -> Iterator[Message]:
        """The messages in the order of the file.

        Raises RecordingError where the file cannot be read.
        """
        seqs: dict[str, int] = {}
        missing = 0
        try:
            with open_recording(self.path) as file:
                self.bytes_read = len(file.readline(MAX_HEADER_BYTES))
                for number, line in enumerate(_lines(file), start=2):
                    self.bytes_read += len(line)
                    message = self._decode(line, number)
                    if self.second == number:
                        break
                    if isinstance(message, Estimate):
                        missing += max(0, message.seq - seqs.get(message.stream, message.seq - 1) - 1)
                        seqs[message.stream] = message.seq
                    if message is not None:
                        yield message
            self.missing = missing
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _decode(self, line: bytes, number: int) -> Message | None:
        """The message; None for a damaged line, an empty one, and kinds that a later release of this schema added."""
        content = line.strip(b"\0 \t\r\n")
        if not content and b"\0" not in line:
            return None
        try:
            message = wire.decode(content)
            if message is None and wire.read_envelope(content).kind == _HEADER_KIND:
                self.second = number
        except WireError:
            if BEGINNING in content:
                self.second = number
            else:
                self._note_damage(line, number)
            return None
        if b"\0" in line:  # what stood there before
            self._note_damage(line, number)
        return message

    def _note_damage(self, line: bytes, number: int) -> None:
        if line.endswith(b"\n"):
            self.broken.add(number)
        else:
            self.torn = True


def read_recording(path: str | Path) -> Recording:
    """Open a recording and read its header; the messages are read while they are iterated over. `~` is the user's home.

    Raises RecordingError where there is no file, where it is not a recording, or where its version is not known.
    """
    path = from_home(path)
    try:
        with open_recording(path) as file:
            line = file.readline(MAX_HEADER_BYTES)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return Recording(path, decode_header(path, line))


def open_recording(path: Path) -> BinaryIO:
    """A file to read. Raises OSError, also for a pipe or a device, at which reading might wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(0, "Is a directory" if stat.S_ISDIR(mode) else "Is no regular file")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines with their newline; of one that is too long to be a message, its beginning."""
    while line := file.readline(MAX_LINE_BYTES):
        rest = line
        while rest and not rest.endswith(b"\n") and len(rest) == MAX_LINE_BYTES:
            rest = file.readline(MAX_LINE_BYTES)
        yield line if rest is line else line + rest[-1:]


def _unreadable(path: Path, error: OSError | ValueError) -> RecordingError:
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return RecordingError(f"{path}: cannot be read ({reason}); {REMEDY}")
