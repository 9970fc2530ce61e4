"""A small RTSP server: motion JPEG or H.264 over RTP, interleaved in the connection (RFC 2326, 10.12) or by UDP.

It serves pictures that a function makes, to any number of clients, and fails on request: it can demand credentials,
fall silent, stop sending pictures, break off, and come back on the same port.
"""

import base64
import contextlib
import hashlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from streamaffect.types import ImageArray
from tests.support.cameras.rtp import CLOCK_HZ, H264, JPEG, SDP_LINES, h264_payloads, jpeg_payloads

REALM = "test camera"
NONCE = "8d4f21c07a"

Picture = Callable[[int], ImageArray]


@dataclass(frozen=True)
class Credentials:
    """What the server asks for, and by which scheme."""

    user: str
    password: str
    scheme: Literal["Basic", "Digest"] = "Basic"

    @property
    def challenge(self) -> str:
        """The value of the header WWW-Authenticate."""
        return f'{self.scheme} realm="{REALM}"' + (f', nonce="{NONCE}"' if self.scheme == "Digest" else "")

    def accept(self, authorization: str, method: str) -> bool:
        """Whether the value of the header Authorization is right."""
        if self.scheme == "Basic":
            return authorization == "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        given = dict(re.findall(r'(\w+)="([^"]*)"', authorization))
        secret = _md5(f"{self.user}:{REALM}:{self.password}")
        asked = _md5(f"{method}:{given.get('uri', '')}")
        return given.get("response") == _md5(f"{secret}:{NONCE}:{asked}")


class RtspServer:
    """Serves `rtsp://127.0.0.1:port/live` from its construction until `kill`.

    picture:     makes picture number 0, 1, 2, … as (H, W, 3) uint8 BGR; both sides a multiple of 8 below 2048
    credentials: demanded from every client
    port:        0 takes a free one
    answers:     False: accepts connections and says nothing at all
    moved_to:    where a redirect sends whoever asks for a description; empty is none; may be changed
    moves_after: so many descriptions are given first, and then whatever is asked is redirected
    h264:        pieces of `encoded_h264` that are served in a circle in place of pictures
    stamp:       the RTP time stamp of picture number 0, 1, 2, …, in 90 kHz; None counts on by the rate
    connections: how many there have been; asked: the methods of all requests
    """

    def __init__(
        self,
        picture: Picture,
        *,
        fps: float = 25.0,
        credentials: Credentials | None = None,
        port: int = 0,
        answers: bool = True,
        moved_to: str = "",
        moves_after: int = 0,
        h264: Sequence[bytes] = (),
        stamp: Callable[[int], int] | None = None,
    ) -> None:
        self.picture = picture
        self.asked: list[str] = []
        self._h264 = h264
        self._stamp = stamp
        self._moves_after = moves_after
        self.fps = fps
        self.credentials = credentials
        self.connections = 0
        self.sending = threading.Event()
        self.sending.set()
        self.moved_to = moved_to
        self._answers = answers
        self._killed = threading.Event()
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    @property
    def url(self) -> str:
        """Where the stream is, without credentials."""
        return f"rtsp://127.0.0.1:{self.port}/live"

    def kill(self) -> None:
        """Break off every connection and free the port."""
        self._killed.set()
        # Closing alone would not wake a thread that waits in accept or recv.
        for open_socket in (self._listener, *self._clients):
            _shut(open_socket)
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._killed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._clients.append(client)
            self._start(self._converse, client)

    def _converse(self, client: socket.socket) -> None:
        session = _Session(client, self.credentials, H264 if self._h264 else JPEG)
        try:
            for request in _requests(client):
                if not self._answers:
                    continue
                session.reply(request, moved_to=self._leads_to(request))
                if request.method == "PLAY" and session.authorized(request):
                    self._start(self._send_pictures, session)
        except OSError:
            pass
        finally:
            session.close()

    def _leads_to(self, request: "_Request") -> str:
        described = self.asked.count("DESCRIBE")
        self.asked.append(request.method)
        if self._moves_after:
            return self.moved_to if described >= self._moves_after else ""
        return self.moved_to if request.method == "DESCRIBE" else ""

    def _send_pictures(self, session: "_Session") -> None:
        index = 0
        try:
            while not self._killed.wait(1.0 / self.fps):
                if self.sending.is_set():
                    stamp = self._stamp(index) if self._stamp else round(index * CLOCK_HZ / self.fps)
                    session.send_picture(self._payloads(index), timestamp=stamp)
                index += 1
        except OSError:
            pass

    def _payloads(self, index: int) -> Iterator[tuple[bytes, bool]]:
        if self._h264:
            return h264_payloads(self._h264[index % len(self._h264)])
        return jpeg_payloads(self.picture(index))


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    headers: dict[str, str]


class _Session:
    """One client's connection: replies and pictures share the socket."""

    def __init__(self, client: socket.socket, credentials: Credentials | None, kind: int) -> None:
        self._client = client
        self._kind = kind
        self._credentials = credentials
        self._datagrams: socket.socket | None = None
        self._writing = threading.Lock()
        self._sequence = 0

    def authorized(self, request: _Request) -> bool:
        given = request.headers.get("authorization", "")
        return self._credentials is None or self._credentials.accept(given, request.method)

    def reply(self, request: _Request, *, moved_to: str) -> None:
        status, headers, body = self._answer(request, moved_to)
        lines = [f"RTSP/1.0 {status}", f"CSeq: {request.headers.get('cseq', '0')}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        with self._writing:
            self._client.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _answer(self, request: _Request, moved_to: str) -> tuple[str, list[str], str]:
        if request.method == "OPTIONS":
            return "200 OK", ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"], ""
        if self._credentials and not self.authorized(request):
            return "401 Unauthorized", [f"WWW-Authenticate: {self._credentials.challenge}"], ""
        if not request.path.startswith("/live"):
            return "404 Not Found", [], ""
        if moved_to:
            return "302 Found", [f"Location: {moved_to}"], ""
        if request.method == "DESCRIBE":
            return "200 OK", ["Content-Type: application/sdp"], _description(self._kind)
        if request.method == "SETUP":
            return "200 OK", ["Session: 1", f"Transport: {self._transport(request)}"], ""
        return "200 OK", ["Session: 1"], ""

    def _transport(self, request: _Request) -> str:
        ports = re.search(r"client_port=(\d+)", request.headers.get("transport", ""))
        if ports is None:
            return "RTP/AVP/TCP;unicast;interleaved=0-1"
        self._datagrams = socket.socket(type=socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", 0))
        self._datagrams.connect(("127.0.0.1", int(ports[1])))
        own = self._datagrams.getsockname()[1]
        return f"RTP/AVP;unicast;client_port={ports[1]}-{int(ports[1]) + 1};server_port={own}-{own + 1}"

    def close(self) -> None:
        _shut(self._client)
        if self._datagrams:
            self._datagrams.close()

    def send_picture(self, payloads: Iterable[tuple[bytes, bool]], *, timestamp: int) -> None:
        packets = []
        for payload, last in payloads:
            marker = 0x80 if last else 0
            header = struct.pack(">BBHII", 0x80, marker | self._kind, self._sequence, timestamp & 0xFFFFFFFF, 1)
            self._sequence = (self._sequence + 1) & 0xFFFF
            packets.append(header + payload)
        if self._datagrams:
            for packet in packets:
                self._datagrams.send(packet)
            return
        with self._writing:
            self._client.sendall(b"".join(struct.pack(">cBH", b"$", 0, len(packet)) + packet for packet in packets))


def _description(kind: int) -> str:
    lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=test", "c=IN IP4 0.0.0.0", "t=0 0", f"m=video 0 RTP/AVP {kind}"]
    return "\r\n".join([*lines, *SDP_LINES[kind], "a=control:track", ""])


def _requests(client: socket.socket) -> Iterator[_Request]:
    """The client's requests; the RTCP reports that it sends between them are skipped."""
    with client.makefile("rb") as stream:
        while first := stream.read(1):
            if first == b"$":
                _, length = struct.unpack(">BH", stream.read(3))
                stream.read(length)
                continue
            method, url, _ = (first + stream.readline()).decode("latin-1").split()
            headers = {}
            while line := stream.readline().strip():
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            stream.read(int(headers.get("content-length", "0")))
            yield _Request(method, re.sub(r"^rtsps?://[^/]*", "", url), headers)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _shut(open_socket: socket.socket) -> None:
    with contextlib.suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
    open_socket.close()
