import socket
from collections.abc import Iterator

import pytest

from streamaffect.sources.remote.address import Address
from streamaffect.sources.remote.heads import HEAD_LIMIT, Head, NoReplyError, read_head
from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.lines import Line, Lines
from streamaffect.sources.remote.requests import Request, question


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Line]]:
    far, near = socket.socketpair()
    line = Line(Lines(), near)
    yield far, line
    far.close()
    line.close()


def read(ends: tuple[socket.socket, Line], text: bytes) -> tuple[Head, bytes]:
    far, line = ends
    far.sendall(text)
    far.shutdown(socket.SHUT_WR)
    return read_head(line, Deadline(10.0))


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_a_head_is_read_up_to_the_empty_line(ends: tuple[socket.socket, Line], newline: bytes) -> None:
    lines = [
        b"RTSP/1.0 200 OK",
        b"CSeq: 1",
        b"WWW-Authenticate: a",
        b"www-authenticate:b",
        b"Content-Length: 7",
        b"",
        b"body",
    ]
    head, rest = read(ends, newline.join(lines))
    assert head.status == 200
    assert head.values("www-authenticate") == ["a", "b"]
    assert (head.value("cseq"), head.value("none"), head.length) == ("1", "", 7)
    assert rest == b"body"


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 what\r\n\r\n",
        b"HTTP/1.1 99 no\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_LIMIT,
    ],
)
def test_anything_else_is_no_reply(ends: tuple[socket.socket, Line], text: bytes) -> None:
    with pytest.raises(NoReplyError) as caught:
        read(ends, text)
    assert not caught.value.is_silence


def test_nothing_at_all_is_told_apart(ends: tuple[socket.socket, Line]) -> None:
    with pytest.raises(NoReplyError) as caught:
        read(ends, b"")
    assert caught.value.is_silence


def test_a_head_that_drips_has_a_limit(ends: tuple[socket.socket, Line]) -> None:
    far, line = ends
    deadline = Deadline(0.1)

    class Dripping(Line):
        def receive(self, most: int, deadline: Deadline) -> bytes:
            far.sendall(b"x")
            return line.receive(most, deadline)

    dripping = Dripping.__new__(Dripping)
    with pytest.raises(TimeoutError):
        read_head(dripping, deadline)


@pytest.mark.parametrize("stated", ["", "²", "-1", "1e3", "9" * 30])
def test_a_length_that_is_none_is_not_known(stated: str) -> None:
    assert Head(200, (("content-length", stated),)).length is None


def test_requests_name_what_they_ask_for() -> None:
    rtsp = Request("OPTIONS", Address.of("rtsp://ann:x@h/live?a=b")).text(7).decode()
    assert rtsp.startswith("OPTIONS rtsp://h/live?a=b RTSP/1.0\r\nCSeq: 7\r\n")
    http = question(Address.of("http://ann:x@h:81/live"), {"Range": "bytes=0-"}).text(1).decode()
    assert http.startswith("GET /live HTTP/1.1\r\nHost: h:81\r\n")
    assert "\r\nRange: bytes=0-\r\n" in http
    assert "ann" not in rtsp + http
