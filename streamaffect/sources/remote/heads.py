"""The heads of replies, as RTSP and HTTP have them in common."""

import re
from dataclasses import dataclass

from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.lines import Line

HEAD_LIMIT = 65536

_END = re.compile(rb"\r?\n\r?\n")  # some hosts leave out the half of it
_FIRST_LINE = re.compile(r"(?:RTSP|HTTP)/\S+ +([1-9][0-9]{2})(?: |$)", re.ASCII)


class NoReplyError(ValueError):
    """What came is not the head of a reply, and the end."""

    def __init__(self, received: bytes) -> None:
        super().__init__(received[:64])
        self.is_silence = not received


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a reply.

    fields: names in lower case, and values, in the order in which they came
    """

    status: int
    fields: tuple[tuple[str, str], ...] = ()

    def values(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for found, value in self.fields if found == name]

    def value(self, name: str) -> str:
        """The first value of a field, empty where there is none."""
        return next(iter(self.values(name)), "")

    @property
    def is_redirect(self) -> bool:
        """True where the host sends on to another address; FFmpeg takes all of these for that."""
        return 300 <= self.status < 400

    @property
    def length(self) -> int | None:
        """Bytes of the body, where the host says how many."""
        stated = self.value("content-length")
        return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 19 else None


def read_head(line: Line, deadline: Deadline, received: bytes = b"") -> tuple[Head, bytes]:
    """The head of the next reply, and what has come with it of its body.

    received: what has come of it already

    Raises:
        NoReplyError: it is none, or the host has closed the connection.
        OSError: the connection broke; TimeoutError: it did not come in time, however slowly it drips.
    """
    while (end := _END.search(received)) is None:
        more = line.receive(4096, deadline)
        if not more or len(received) > HEAD_LIMIT:
            raise NoReplyError(received)
        received += more
    return _parsed(received[: end.start()]), received[end.end() :]


def _parsed(head: bytes) -> Head:
    first, *others = head.decode("latin-1").replace("\r\n", "\n").split("\n")
    status = _FIRST_LINE.match(first)
    if status is None:
        raise NoReplyError(head)
    named = [other.partition(":") for other in others]
    return Head(int(status.group(1)), tuple((name.strip().lower(), value.strip()) for name, _, value in named))
