import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from streamaffect.sources.remote.address import Address
from streamaffect.sources.remote.body import Body
from streamaffect.sources.remote.heads import read_head
from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.lines import Line, Lines
from streamaffect.sources.remote.question import Reply

SOON = 10.0


class Host:
    """Both ends of a connection: what is sent here, a body reads there."""

    def __init__(self) -> None:
        self.end, own = socket.socketpair()
        self.lines = Lines()
        self._line = Line(self.lines, own)

    def body(self, text: bytes, *, silence_s: float = SOON, opening_s: float = SOON) -> Body:
        self.end.sendall(text)
        head, rest = read_head(self._line, Deadline(SOON))
        reply = Reply(Address.of("http://h/live"), head, self._line, rest)
        return Body(reply, silence_s=silence_s, opening=Deadline(opening_s))


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.end.close()
    host._line.close()


def test_a_body_without_a_length_goes_on_until_the_host_hangs_up(host: Host) -> None:
    body = host.body(b"HTTP/1.0 200 OK\r\n\r\nab")
    host.end.sendall(b"cd")
    host.end.close()
    assert body.whole(99) == b"abcd"
    assert body.trouble is None


def test_a_body_ends_at_its_length(host: Host) -> None:
    body = host.body(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabcdef")
    assert body.whole(99) == b"abc"


def test_chunks_are_put_together(host: Host) -> None:
    body = host.body(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\ndefghijklm\r\n0\r\n\r\n"
    )
    assert [body.read(2), body.read(9), body.read(9), body.read(9), body.read(9)] == [
        b"ab",
        b"c",
        b"defghijkl",
        b"m",
        b"",
    ]
    assert body.trouble is None


def test_the_first_bytes_are_read_twice(host: Host) -> None:
    body = host.body(b"HTTP/1.0 200 OK\r\n\r\nab")
    host.end.sendall(b"cdef")
    assert body.begins_with(3) == b"abc"
    host.end.close()
    assert body.whole(99) == b"abcdef"


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nno number\r\n",
    ],
)
def test_a_body_that_is_cut_off_says_so_and_does_not_raise(host: Host, text: bytes) -> None:
    body = host.body(text)
    host.end.close()
    assert body.whole(99) == b"abc"
    assert body.read(9) == b""
    assert body.trouble == "the connection broke"


def test_a_host_that_falls_silent_is_noticed(host: Host) -> None:
    body = host.body(b"HTTP/1.0 200 OK\r\n\r\nabc", silence_s=0.05)
    assert body.whole(99) == b"abc"
    assert body.trouble == "no data for 0.05 s"


def test_what_has_to_come_before_the_stream_is_open_has_a_limit_however_slowly_it_drips(host: Host) -> None:
    body = host.body(b"HTTP/1.0 200 OK\r\n\r\nx", opening_s=0.1)
    dripped = 0
    while body.read(1) or not body.trouble:
        dripped += 1
        host.end.sendall(b"x")
    assert dripped > 0


def test_an_open_stream_may_go_on_beyond_the_limit_of_opening(host: Host) -> None:
    body = host.body(b"HTTP/1.0 200 OK\r\n\r\n", opening_s=1e-6)
    body.opened()
    host.end.sendall(b"x")
    assert body.read(1) == b"x"


def test_cutting_the_lines_ends_a_wait(host: Host) -> None:
    ends: list[Callable[[], object]] = []
    with closing(host.end):
        lines = Lines()
        server = socket.create_server(("127.0.0.1", 0))
        address = Address.of(f"http://127.0.0.1:{server.getsockname()[1]}/")
        place = (socket.AF_INET, server.getsockname())
        line = lines.connect(address, [place], Deadline(SOON), label="camera")
        ends += [line.close, server.close]
        lines.cut()
        assert line.receive(1, Deadline(SOON)) == b""
        for end in ends:
            end()
