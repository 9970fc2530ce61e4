"""Reading recordings: JSON Lines, first a header, then one wire message per line (docs/recordings.md).

A recording may end in the middle of a line, since its writer may have been killed, and have lines in the middle that a
failure of the power or the disk has damaged. Reading goes on behind them, and says what is missing. Of a file in which
several recordings were put together, one is read, which has to be named (`streamaffect.recordings.parts`).
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from streamaffect.errors import RecordingError, WireError
from streamaffect.feed import wire
from streamaffect.messages import Estimate, Message
from streamaffect.recordings.header import MAX_HEADER_BYTES, REMEDY, RecordingHeader, decode_header
from streamaffect.recordings.parts import BLANK, Part, choose, header_at, lines, named_part


class Recording:
    """The header and, by iterating, the messages of a recording. Each iteration reads it from its start.

    path:       the file
    named:      the same, with the part of the file behind it where one was named: what `read_recording` takes
    torn:       True once an iteration has met a last line that was never written to its end
    broken:     numbers of the lines before it that an iteration could not read; their messages are missing
    missing:    estimates that the latest iteration found missing, by the gaps in `seq`
    bytes_read: how far in the file the latest iteration has come
    """

    def __init__(self, path: Path, header: RecordingHeader, part: Part, *, named: Path) -> None:
        self.path = path
        self.named = named
        self.header = header
        self._part = part
        self.torn = False
        self.broken: set[int] = set()
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
        if self.torn:
            words.append("the last line is torn and was ignored")
        return "; ".join(words) or None

    def __iter__(self) -> Iterator[Message]:
        """The messages in the order of the file.

        Raises RecordingError where the file cannot be read, or where another recording has been put behind this one.
        """
        seqs: dict[str, int] = {}
        missing = 0
        try:
            with open_recording(self.path) as file:
                file.seek(self._part.start)
                self.bytes_read = self._part.start + len(file.readline(MAX_HEADER_BYTES))
                for number, line in enumerate(lines(file, self._part.end), start=self._part.line + 1):
                    self.bytes_read += len(line)
                    if header_at(line) is not None:
                        raise RecordingError(f"{self.path}: line {number}: another recording was put behind this one")
                    message = self._decode(line, number)
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
        content = line.strip(BLANK)
        if not content and b"\0" not in line:
            return None
        try:
            message = wire.decode(content)
        except WireError:
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

    Of several that were put together in one file, `#part=2` behind the path is the second.

    Raises RecordingError where there is no file, where it is not a recording, or where its version is not known; and
    for a file with several recordings, of which none is named.
    """
    named = Path(path)
    path, wanted = named_part(named)
    try:
        with open_recording(path) as file:
            first = file.readline(MAX_HEADER_BYTES)
            header = decode_header(path, first)  # before all else: what is no recording has no parts
            file.seek(0)
            part = choose(path, file, wanted)
            if part.start:
                file.seek(part.start)
                header = decode_header(path, file.readline(MAX_HEADER_BYTES), line=part.line)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return Recording(path, header, part, named=path if wanted is None else named)


def open_recording(path: Path) -> BinaryIO:
    """A file to read. Raises OSError, also for a pipe or a device, at which reading might wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(0, "Is a directory" if stat.S_ISDIR(mode) else "Is no regular file")


def _unreadable(path: Path, error: OSError | ValueError) -> RecordingError:
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return RecordingError(f"{path}: cannot be read ({reason}); {REMEDY}")
