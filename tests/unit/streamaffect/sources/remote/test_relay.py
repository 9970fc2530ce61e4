"""The relay between FFmpeg and a camera, with a plain socket in the place of each."""

import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Self

import pytest

from streamaffect.sources.remote.address import Address
from streamaffect.sources.remote.authorization import Signer
from streamaffect.sources.remote.heads import Head
from streamaffect.sources.remote.limits import Limits
from streamaffect.sources.remote.lines import Line, Lines
from streamaffect.sources.remote.question import Reply
from streamaffect.sources.remote.relay import Relay

LIMITS = Limits(connect_s=5.0, answer_s=5.0, open_s=5.0)
SDP = b"v=0\r\nm=video 0 RTP/AVP 26\r\n"
DIGEST = 'Digest realm="r", nonce="{}", qop="auth"'
OK = "RTSP/1.0 200 OK\r\nCSeq: {}\r\nSession: 7;timeout=60\r\n{}\r\n"
UDP = "Transport: RTP/AVP;unicast;source=192.0.2.9;server_port=5000-5001\r\n"


class Host:
    """A camera that gives answers in order, then pictures that were asked for by nobody.

    heard: the requests that it got
    """

    def __init__(self, *answers: str | bytes) -> None:
        self.heard: list[str] = []
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address.of(f"rtsp://ann:pw@127.0.0.1:{self._listener.getsockname()[1]}/live")
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        answers = list(self._answers)
        with self._listener, self._listener.accept()[0] as connection:
            pending = b""
            while more := connection.recv(4096):
                pending += more
                while b"\r\n\r\n" in pending:
                    request, _, pending = pending.partition(b"\r\n\r\n")
                    self.heard.append(request.decode())
                    if answers:
                        answer = answers.pop(0)
                        count = re.search(r"CSeq: (\d+)", self.heard[-1])
                        assert count is not None
                        connection.sendall(
                            answer if isinstance(answer, bytes) else answer.replace("{}", count[1], 1).encode()
                        )

    def field(self, request: int, name: str) -> str:
        """Of a request that was heard."""
        found = re.search(rf"^{name}: (.*)$", self.heard[request].replace("\r", ""), re.MULTILINE)
        return found[1] if found else ""

    def close(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive(), "the relay has kept the connection"


class Guest:
    """FFmpeg's part."""

    def __init__(self, url: str) -> None:
        port = int(url.split("/")[2].partition(":")[2])
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.settimeout(10)
        self._received = b""

    def ask(self, method: str, target: str, number: int) -> str:
        self._socket.sendall(f"{method} {target} RTSP/1.0\r\nCSeq: {number}\r\n\r\n".encode())
        while b"\r\n\r\n" not in self._received:
            more = self._socket.recv(4096)
            if not more:
                return ""
            self._received += more
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        return head.decode()

    def read(self, size: int) -> bytes:
        while len(self._received) < size and (more := self._socket.recv(4096)):
            self._received += more
        return self._received[:size]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


class Scene:
    """A relay to a host."""

    def __init__(self, host: Host, challenges: Sequence[str] = ()) -> None:
        self.lines = Lines()
        self.host = host
        signer = Signer("ann", "pw")
        signer.learn(challenges)
        self.relay = Relay(
            Reply(host.address, Head(200), self._connect(), b""),
            SDP,
            signer=signer,
            lines=self.lines,
            limits=LIMITS,
            again=self._connect,
            asked=3,
        )

    def _connect(self) -> Line:
        connection = socket.create_connection(("127.0.0.1", self.host.address.port))
        return Line(self.lines, self.lines.keep(connection))


@pytest.fixture
def ends() -> Iterator[list[Scene]]:
    scenes: list[Scene] = []
    yield scenes
    for scene in scenes:
        scene.relay.close()
        scene.lines.close()
        scene.host.close()


def test_the_description_comes_from_here_and_the_rest_from_the_camera_on_one_count(ends: list[Scene]) -> None:
    host = Host(OK.format("{}", "Transport: RTP/AVP/TCP;interleaved=0-1\r\n"), OK.format("{}", ""))
    ends.append(scene := Scene(host))
    with Guest(scene.relay.url) as guest:
        assert "200 OK" in guest.ask("OPTIONS", scene.relay.url, 1)
        described = guest.ask("DESCRIBE", scene.relay.url, 2)
        assert f"Content-Base: {host.address.bare}" in described
        assert guest.read(len(SDP)) == SDP
        guest._received = b""
        assert "cseq: 3" in guest.ask("SETUP", f"{host.address.bare}/track", 3)
        assert "cseq: 4" in guest.ask("PLAY", host.address.bare, 4)
    scene.relay.close()
    patience_s = time.monotonic() + 10.0
    while len(host.heard) < 3 and time.monotonic() < patience_s:
        time.sleep(0.01)
    assert [heard.split()[0] for heard in host.heard] == ["SETUP", "PLAY", "TEARDOWN"]
    assert [host.field(number, "CSeq") for number in (0, 1)] == ["6", "7"]
    assert host.field(2, "Session") == "7"


def test_pictures_before_the_answer_to_play_are_passed_on(ends: list[Scene]) -> None:
    early, late = b"$\x00\x00\x03abc", b"$\x00\x00\x02de"
    ends.append(scene := Scene(Host(early + OK.format("4", "").encode() + late)))
    with Guest(scene.relay.url) as guest:
        played = guest.ask("PLAY", scene.host.address.bare, 1)
        assert played.startswith(early.decode() + "RTSP/1.0 200 OK")
        assert guest.read(len(late)) == late


def test_requests_are_signed_with_a_count_and_anew_when_the_number_is_stale(ends: list[Scene]) -> None:
    refusal = f"RTSP/1.0 401 Unauthorized\r\nCSeq: {{}}\r\nWWW-Authenticate: {DIGEST.format('new')}, stale=true\r\n\r\n"
    host = Host(OK.format("{}", ""), refusal, OK.format("{}", ""))
    ends.append(scene := Scene(host, [DIGEST.format("old")]))
    with Guest(scene.relay.url) as guest:
        assert "200" in guest.ask("SETUP", f"{host.address.bare}/track", 1)
        assert "200" in guest.ask("PLAY", host.address.bare, 2)
    signed = [host.field(number, "Authorization") for number in range(3)]
    assert ["old" in one for one in signed] == [True, True, False]
    assert [re.findall("nc=([0-9a-f]+)", one) for one in signed] == [["00000001"], ["00000002"], ["00000001"]]
    assert [host.field(number, "CSeq") for number in range(3)] == ["4", "5", "6"]


def test_a_refusal_among_the_pictures_is_remembered_for_the_next_request(ends: list[Scene]) -> None:
    stale = f"RTSP/1.0 401 Unauthorized\r\nCSeq: 5\r\nWWW-Authenticate: {DIGEST.format('new')}\r\n\r\n"
    host = Host(OK.format("{}", ""), b"$\x00\x00\x01a" + stale.encode(), b"")
    ends.append(scene := Scene(host, [DIGEST.format("old")]))
    with Guest(scene.relay.url) as guest:
        guest.ask("PLAY", host.address.bare, 1)
        guest.ask("GET_PARAMETER", host.address.bare, 2)
        guest._socket.sendall(f"GET_PARAMETER {host.address.bare} RTSP/1.0\r\nCSeq: 3\r\n\r\n".encode())
        while len(host.heard) < 3:
            pass
    assert 'nonce="new"' in host.field(2, "Authorization")


def test_a_redirect_in_the_place_of_pictures_is_not_passed_on(ends: list[Scene]) -> None:
    ends.append(scene := Scene(Host("RTSP/1.0 302 Found\r\nCSeq: {}\r\nLocation: rtsp://elsewhere/\r\n\r\n")))
    with Guest(scene.relay.url) as guest:
        assert guest.ask("SETUP", scene.host.address.bare, 1) == ""
    assert scene.relay.trouble is not None
    assert "another address" in scene.relay.trouble


def test_datagrams_are_answered_to_the_camera_and_to_nobody_it_names(ends: list[Scene]) -> None:
    ends.append(scene := Scene(Host(OK.format("{}", UDP))))
    with Guest(scene.relay.url) as guest:
        answer = guest.ask("SETUP", scene.host.address.bare, 1)
    assert "192.0.2.9" not in answer
    assert "source=127.0.0.1" in answer


def test_whoever_does_not_know_the_address_gets_nothing(ends: list[Scene]) -> None:
    ends.append(scene := Scene(Host()))
    with Guest(scene.relay.url) as stranger:
        assert stranger.ask("DESCRIBE", scene.relay.url.rpartition("/")[0] + "/guessed", 1) == ""


def test_cutting_the_lines_ends_it_and_tells_the_camera(ends: list[Scene]) -> None:
    host = Host(OK.format("{}", ""))
    ends.append(scene := Scene(host))
    with Guest(scene.relay.url) as guest:
        guest.ask("PLAY", host.address.bare, 1)
        scene.lines.cut()
        assert guest.read(1) == b""
    host.close()
    assert host.heard[-1].startswith(f"TEARDOWN {host.address.bare}")
