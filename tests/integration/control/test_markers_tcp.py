"""Markers as lines of a real TCP connection, as stimulus software sends them."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamaffect.clock import monotonic_ns
from streamaffect.control.markers.tcp import MOST_CONNECTIONS, TcpMarkers
from streamaffect.errors import WireError

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "tcp_markers.py"
WAIT_S = 20.0


class Noted:
    """Markers as they come."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.times_ns: list[int] = []
        self._changed = threading.Condition()

    def __call__(self, text: str, *, origin: str, monotonic_ns: int) -> None:
        with self._changed:
            self.texts.append(text)
            self.times_ns.append(monotonic_ns)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.texts) >= count, WAIT_S), self.texts
            return self.texts


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
def markers(noted: Noted) -> Iterator[TcpMarkers]:
    taken = TcpMarkers(0, noted)
    yield taken
    taken.close()


def connect(markers: TcpMarkers) -> socket.socket:
    return socket.create_connection(("127.0.0.1", markers.port), timeout=WAIT_S)


def test_lines_with_any_end_are_markers_in_their_order_at_the_time_they_came(markers: TcpMarkers, noted: Noted) -> None:
    before_ns = monotonic_ns()
    with connect(markers) as program:
        program.sendall(b"one\ntwo\r\nthree\rfour\0\n\n  \n")
        assert noted.wait_for(4) == ["one", "two", "three", "four"]
    assert all(before_ns <= time_ns <= monotonic_ns() for time_ns in noted.times_ns)


def test_a_line_without_an_end_is_a_marker_too_after_a_moment_or_when_the_program_goes(
    markers: TcpMarkers, noted: Noted
) -> None:
    with connect(markers) as program:
        program.sendall(b"no end")
        assert noted.wait_for(1) == ["no end"]
        program.sendall(b"gone")
    assert noted.wait_for(2) == ["no end", "gone"]


def test_a_line_that_comes_in_pieces_is_one_marker_at_its_first_byte(markers: TcpMarkers, noted: Noted) -> None:
    with connect(markers) as program:
        program.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (b"a", b"b", b"c\nd\n"):
            program.sendall(piece)
        noted.wait_for(2)
    assert "".join(noted.texts) == "abcd"  # on a machine so busy that a piece takes a tenth of a second, more markers
    assert noted.times_ns == sorted(noted.times_ns)


def test_bytes_that_are_no_text_are_written_out_and_a_long_line_is_cut(markers: TcpMarkers, noted: Noted) -> None:
    with connect(markers) as program:
        program.sendall(b"\xff\xfe\n" + b"x" * 5000 + b"\n")
        assert noted.wait_for(2) == ["\\xff\\xfe", "x" * 1024]


def test_a_thousand_markers_at_once_all_come(markers: TcpMarkers, noted: Noted) -> None:
    with connect(markers) as program:
        program.sendall(b"".join(b"%d\n" % number for number in range(1000)))
        assert noted.wait_for(1000) == [str(number) for number in range(1000)]


def test_a_page_in_a_browser_sets_no_marker(markers: TcpMarkers, noted: Noted) -> None:
    with connect(markers) as browser:
        browser.sendall(b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nstimulus\n")
        assert closes(browser)
    with connect(markers) as program:
        program.sendall(b"real\n")
        assert noted.wait_for(1) == ["real"]


def test_connections_beyond_the_limit_are_closed_and_the_others_go_on(markers: TcpMarkers, noted: Noted) -> None:
    programs = [connect(markers) for _ in range(MOST_CONNECTIONS)]
    for number, program in enumerate(programs):  # all are accepted before the next one comes
        program.sendall(b"%d\n" % number)
    noted.wait_for(MOST_CONNECTIONS)
    with connect(markers) as further:
        assert closes(further)
    for program in programs:
        program.sendall(b"again\n")
    assert noted.wait_for(2 * MOST_CONNECTIONS)[MOST_CONNECTIONS:] == ["again"] * MOST_CONNECTIONS
    for program in programs:
        program.close()


def test_a_port_in_use_is_one_clear_line(markers: TcpMarkers, noted: Noted) -> None:
    with pytest.raises(WireError, match=rf"--markers tcp:{markers.port}: the port is in use; .*choose another port"):
        TcpMarkers(markers.port, noted)


def closes(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_the_example_for_experiments_sends_its_markers_as_they_are(markers: TcpMarkers, noted: Noted) -> None:
    subprocess.run([sys.executable, str(EXAMPLE), str(markers.port)], check=True, timeout=WAIT_S)
    assert noted.wait_for(3) == ["stimulus 1", "stimulus 2", "stimulus 3"]
