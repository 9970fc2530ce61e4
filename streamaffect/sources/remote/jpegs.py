"""The pictures of motion JPEG one by one, in whatever a camera wraps them.

Cameras announce another boundary than they send, or none; they leave out dashes, types and lengths of parts, or state
wrong ones, and FFmpeg takes few of these. A JPEG says itself where it begins and ends (ITU-T T.81, B.1 and B.2), so all
else is passed over, and FFmpeg gets each picture in a part as the standard has it (RFC 2046, 5.1), with its length: so
it need not wait for the next one either.
"""

import re
from typing import Final

from streamaffect.sources.remote.body import Body

BEGIN: Final = b"\xff\xd8\xff"
END: Final = b"\xff\xd9"
MOST_BYTES: Final = 1 << 26  # of one picture
READ_BYTES: Final = 1 << 16
# Markers: of ends, of what is coded, and those without a length.
EOI, SOI, SOS = 0xD9, 0xD8, 0xDA
ALONE: Final = frozenset((0x01, *range(0xD0, 0xD8)))
_AFTER_CODED = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class JpegParts:
    """A file for PyAV, of FFmpeg's format `mpjpeg`. It ends with the body, whose `trouble` says why."""

    def __init__(self, body: Body) -> None:
        self.name = body.name
        self._body = body
        self._pictures = JpegScanner()
        self._ready = b""

    def go_on(self) -> bool:
        """Wait for a second picture; False where the body ends before it."""
        found = [self._next(), self._next()]
        self._ready = b"".join(found)
        return all(found)

    def read(self, size: int) -> bytes:
        """Wait for up to `size` bytes of the parts; none at the end."""
        self._ready = self._ready or self._next()
        some, self._ready = self._ready[:size], self._ready[size:]
        return some

    def _next(self) -> bytes:
        while (picture := self._pictures.take()) is None:
            if not (more := self._body.read(READ_BYTES)):
                return b""
            self._pictures.give(more)
        return _part(picture)


class JpegScanner:
    """Finds whole pictures in bytes that come in pieces. A picture within another one's header is none."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = 0  # where the next marker of the picture begins, which itself begins at 0
        self._is_inside = False
        self._is_coded = False
        self._has_ends = False

    def give(self, more: bytes) -> None:
        """Take what came next."""
        self._bytes += more

    def take(self) -> bytes | None:
        """The next picture; None until more has come. One that breaks off is left out."""
        while self._is_inside or self._begin():
            if self._is_coded and not self._skip_coded():
                return None
            if len(self._bytes) < self._at + 2:
                return None
            mark, kind = self._bytes[self._at : self._at + 2]
            if mark != 0xFF:
                self._drop(self._at)
            elif kind == EOI:
                self._has_ends = True
                return self._cut(self._at + 2)
            elif kind == SOI and not self._has_ends:  # some cameras send no ends
                return self._cut(self._at) + END
            elif kind == SOI:
                self._drop(self._at)
            elif kind == 0xFF:  # fills up
                self._at += 1
            elif kind in ALONE:
                self._at += 2
            elif not self._skip_segment(kind):
                return None
        return None

    def _begin(self) -> bool:
        start = self._bytes.find(BEGIN)
        if start < 0:
            del self._bytes[: -len(BEGIN) + 1]
            return False
        self._drop(start)
        self._is_inside, self._at = True, 2
        return True

    def _skip_coded(self) -> bool:
        found = _AFTER_CODED.search(self._bytes, self._at)
        if found is None:
            self._at = max(self._at, len(self._bytes) - 1)
            if self._at > MOST_BYTES:
                self._drop(self._at)
            return False
        self._at, self._is_coded = found.start(), False
        return True

    def _skip_segment(self, kind: int) -> bool:
        """Go over a segment with a length; False where it has not come as a whole."""
        length = int.from_bytes(self._bytes[self._at + 2 : self._at + 4], "big")
        end = self._at + 2 + length
        if len(self._bytes) < max(end, self._at + 4):
            return False
        self._at, self._is_coded = end, kind == SOS
        return True

    def _cut(self, end: int) -> bytes:
        picture = bytes(self._bytes[:end])
        self._drop(end)
        return picture

    def _drop(self, end: int) -> None:
        del self._bytes[:end]
        self._is_inside = self._is_coded = False


def _part(picture: bytes) -> bytes:
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(picture), picture)
