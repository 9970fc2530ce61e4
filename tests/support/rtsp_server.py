"""A small RTSP server: motion JPEG over RTP (RFC 2435), interleaved in the RTSP connection (RFC 2326, 10.12) or by UDP.

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import cv2

from streamaffect.types import ImageArray

PAYLOAD_BYTES = 1400
RTP_CLOCK_HZ = 90_000
RTP_JPEG = 26
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
    connections: how many there have been
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
    ) -> None:
        self.picture = picture
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
        session = _Session(client, self.credentials, self.moved_to)
        try:
            for request in _requests(client):
                if not self._answers:
                    continue
                session.reply(request)
                if request.method == "PLAY" and session.authorized(request):
                    self._start(self._send_pictures, session)
        except OSError:
            pass
        finally:
            session.close()

    def _send_pictures(self, session: "_Session") -> None:
        index = 0
        try:
            while not self._killed.wait(1.0 / self.fps):
                if self.sending.is_set():
                    session.send_picture(self.picture(index), timestamp=round(index * RTP_CLOCK_HZ / self.fps))
                index += 1
        except OSError:
            pass


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    headers: dict[str, str]


class _Session:
    """One client's connection: replies and pictures share the socket."""

    def __init__(self, client: socket.socket, credentials: Credentials | None, moved_to: str) -> None:
        self._client = client
        self._moved_to = moved_to
        self._credentials = credentials
        self._datagrams: socket.socket | None = None
        self._writing = threading.Lock()
        self._sequence = 0

    def authorized(self, request: _Request) -> bool:
        given = request.headers.get("authorization", "")
        return self._credentials is None or self._credentials.accept(given, request.method)

    def reply(self, request: _Request) -> None:
        status, headers, body = self._answer(request)
        lines = [f"RTSP/1.0 {status}", f"CSeq: {request.headers.get('cseq', '0')}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        with self._writing:
            self._client.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _answer(self, request: _Request) -> tuple[str, list[str], str]:
        if request.method == "OPTIONS":
            return "200 OK", ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"], ""
        if self._credentials and not self.authorized(request):
            return "401 Unauthorized", [f"WWW-Authenticate: {self._credentials.challenge}"], ""
        if not request.path.startswith("/live"):
            return "404 Not Found", [], ""
        if request.method == "DESCRIBE" and self._moved_to:
            return "302 Found", [f"Location: {self._moved_to}"], ""
        if request.method == "DESCRIBE":
            return "200 OK", ["Content-Type: application/sdp"], _SDP
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

    def send_picture(self, image: ImageArray, *, timestamp: int) -> None:
        packets = []
        for payload, last in _rtp_jpeg_payloads(image):
            marker = 0x80 if last else 0
            header = struct.pack(">BBHII", 0x80, marker | RTP_JPEG, self._sequence, timestamp & 0xFFFFFFFF, 1)
            self._sequence = (self._sequence + 1) & 0xFFFF
            packets.append(header + payload)
        if self._datagrams:
            for packet in packets:
                self._datagrams.send(packet)
            return
        with self._writing:
            self._client.sendall(b"".join(struct.pack(">cBH", b"$", 0, len(packet)) + packet for packet in packets))


_SDP = "\r\n".join(
    [
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=test",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        f"m=video 0 RTP/AVP {RTP_JPEG}",
        "a=control:track",
        "",
    ]
)


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
            yield _Request(method, re.sub(r"^rtsp://[^/]*", "", url), headers)


def _rtp_jpeg_payloads(image: ImageArray) -> Iterator[tuple[bytes, bool]]:
    """The payloads of one picture, each with whether it is the last one (RFC 2435, section 3.1)."""
    height, width = image.shape[:2]
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80, *sampling])
    tables, scan = _tables_and_scan(encoded.tobytes())
    offset = 0
    while offset < len(scan):
        # Type 1 is 4:2:0; quality 255 says that the quantisation tables follow in the first packet.
        header = struct.pack(">IBBBB", offset, 1, 255, width // 8, height // 8)
        if offset == 0:
            header += struct.pack(">BBH", 0, 0, len(tables)) + tables
        part = scan[offset : offset + PAYLOAD_BYTES]
        offset += len(part)
        yield header + part, offset >= len(scan)


def _tables_and_scan(jpeg: bytes) -> tuple[bytes, bytes]:
    """The quantisation tables and the entropy-coded data of a baseline JPEG."""
    tables, at = b"", 2
    while True:
        marker, length = struct.unpack_from(">HH", jpeg, at)
        segment = jpeg[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xFFDB:
            tables += b"".join(segment[start + 1 : start + 65] for start in range(0, len(segment), 65))
        if marker == 0xFFDA:
            return tables, jpeg[at:].removesuffix(b"\xff\xd9")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _shut(open_socket: socket.socket) -> None:
    with contextlib.suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
    open_socket.close()
