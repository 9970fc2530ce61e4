"""What follows the head of an HTTP reply, as a file that PyAV reads."""

from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.question import Reply

LINE_LIMIT = 256  # bytes of the line before a chunk
SKIP_BYTES = 1 << 16


class Body:
    """The body of a reply, until its stated length, its last chunk, or the end of the connection.

    `read` never raises, since FFmpeg prints what it cannot pass on: the body ends, and `trouble` says why.

    name:       where it is from, without credentials; FFmpeg resolves references against it
    silence_s:  how long the host may send nothing
    is_endless: the length that the host states means nothing
    opening:    until when everything must have come that is read before `opened` is called, however slowly it drips
    """

    def __init__(self, reply: Reply, *, silence_s: float, opening: Deadline, is_endless: bool = False) -> None:
        self.name = reply.address.bare
        self.trouble: str | None = None
        self._line = reply.line
        self._received = reply.rest
        self._again = b""
        self._silence_s = silence_s
        self._opening: Deadline | None = opening
        self._is_chunked = "chunked" in reply.head.value("transfer-encoding").lower()
        self._left = 0 if self._is_chunked else None if is_endless else reply.head.length
        self._is_over = False
        self._wanted: int | None = None  # so many bytes more are; None: all

    def narrow(self, first: int, size: int | None) -> None:
        """Read a part alone, of a host that sends the whole: from byte `first` on, `size` bytes or the rest."""
        while first > 0 and (passed := self.read(min(first, SKIP_BYTES))):
            first -= len(passed)
        self._wanted = size

    def opened(self) -> None:
        """The stream is open: from here on it may go on for ever."""
        self._opening = None

    def begins_with(self, size: int) -> bytes:
        """The first bytes, up to `size`; they are read again later."""
        begin = b""
        while len(begin) < size and (more := self.read(size - len(begin))):
            begin += more
        self._again = begin
        return begin

    def whole(self, limit: int) -> bytes:
        """All of it, or the first `limit` bytes."""
        whole = b""
        while len(whole) < limit and (more := self.read(limit - len(whole))):
            whole += more
        return whole

    def read(self, size: int) -> bytes:
        """Wait for up to `size` bytes; none at the end, or where something is wrong."""
        if self._again:
            some, self._again = self._again[:size], self._again[size:]
            return some
        if self._wanted is not None:
            size = min(size, self._wanted)
        if self._is_over or not size:
            return b""
        try:
            some = self._read(size)
        except TimeoutError:
            some, self.trouble = b"", f"no data for {self._silence_s:g} s"
        except (OSError, ValueError):
            some, self.trouble = b"", "the connection broke"
        self._is_over = not some
        if self._wanted is not None:
            self._wanted -= len(some)
        return some

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _read(self, size: int) -> bytes:
        if self._is_chunked and self._left == 0:
            self._left = self._chunk_size()
        if self._left == 0:
            return b""
        some = self._some(size if self._left is None else min(size, self._left))
        if self._left is None:
            return some
        if not some:
            raise ConnectionError("ended before its stated end")
        self._left -= len(some)
        if self._is_chunked and self._left == 0:
            self._line_of_text()
        return some

    def _chunk_size(self) -> int:
        """Bytes of the next chunk; 0 is the end. Raises ValueError where that is none."""
        stated = self._line_of_text().partition(b";")[0].strip()
        return int(stated.decode("ascii"), 16)

    def _line_of_text(self) -> bytes:
        text = b""
        while not text.endswith(b"\n"):
            if len(text) > LINE_LIMIT or not (one := self._some(1)):
                raise ValueError("no chunk")
            text += one
        return text

    def _some(self, size: int) -> bytes:
        if not self._received:
            self._received = self._line.receive(max(size, LINE_LIMIT), self._deadline())
        some, self._received = self._received[:size], self._received[size:]
        return some

    def _deadline(self) -> Deadline:
        if self._opening is None:
            return Deadline(self._silence_s)
        return Deadline(min(self._silence_s, self._opening.left_s()))
