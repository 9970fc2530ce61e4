"""A small RTSP server: motion JPEG or H.264 over RTP, interleaved in the connection (RFC 2326, 10.12) or by UDP.

It serves pictures that a function makes, to any number of clients, and fails on request: it can demand credentials,
fall silent, stop sending pictures, break off, and come back on the same port. Beside the pictures it can send sound
(interleaved only), late and without saying what time it is.
"""

import base64
import contextlib
import hashlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from streamaffect.types import ImageArray
from tests.support.cameras.rtp import CLOCK_HZ, H264, JPEG, SDP_LINES, h264_payloads, jpeg_payloads

REALM = "test camera"
NONCE = "8d4f21c07a"

RTP_L16 = 97
SOUND_CLOCK_HZ = 8000
CHUNK = 160
FIRST_SOUND = 123_456  # of its time stamps; those of the pictures begin at 0
SINCE_1900_S = 2_208_988_800

Picture = Callable[[int], ImageArray]


@dataclass
class Sound:
    """What is heard beside the pictures, 8 kHz and one channel: L16 (RFC 3551), with sender reports (RFC 3550).

    samples:  of numbers since the start, (N,), the samples, (N,) int16
    late_s:   by so much it is sent after the pictures that it belongs to
    reports:  False: nobody is told what time a time stamp is
    sending:  clear it, and the sound stops
    """

    samples: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int16]]
    late_s: float = 0.0
    reports: bool = True
    sending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.sending.set()


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
    sound:       sent beside the pictures; None sends pictures alone
    moved_to:    where a redirect sends whoever asks for a description; empty is none; may be changed
    moves_after: so many descriptions are given first, and then whatever is asked is redirected
    h264:        pieces of `encoded_h264` that are served in a circle in place of pictures
    stamp:       the RTP time stamp of picture number 0, 1, 2, …, in 90 kHz; None counts on by the rate
    connections: how many there have been; asked: the methods of all requests
    sounds:      how many clients have asked for the sound
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
        sound: Sound | None = None,
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
        self.sound = sound
        self.sounds = 0
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
        session = _Session(client, self.credentials, H264 if self._h264 else JPEG, has_sound=self.sound is not None)
        try:
            for request in _requests(client):
                if not self._answers:
                    continue
                session.reply(request, moved_to=self._leads_to(request))
                if request.method == "PLAY" and session.authorized(request):
                    began_s = time.monotonic()
                    self._start(self._send_pictures, session, began_s)
                    if self.sound is not None and session.wants_sound:
                        self.sounds += 1
                        self._start(self._send_sound, session, self.sound, began_s)
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

    def _send_pictures(self, session: "_Session", began_s: float) -> None:
        index = 0
        try:
            while not self._killed.wait(self._pause_s(index, began_s)):
                timestamp = self._stamp(index) if self._stamp else round(index * CLOCK_HZ / self.fps)
                if self.sound is not None and self.sound.reports and index % round(self.fps) == 0:
                    session.send_report("track", _utc_s(began_s + index / self.fps), timestamp)
                if self.sending.is_set():
                    session.send_picture(self._payloads(index), timestamp=timestamp)
                index += 1
        except OSError:
            pass

    def _payloads(self, index: int) -> Iterator[tuple[bytes, bool]]:
        if self._h264:
            return h264_payloads(self._h264[index % len(self._h264)])
        return jpeg_payloads(self.picture(index))

    def _pause_s(self, index: int, began_s: float) -> float:
        """Until the next picture; beside sound it must be neither too early nor too late."""
        return 1.0 / self.fps if self.sound is None else max(0.0, began_s + index / self.fps - time.monotonic())

    def _send_sound(self, session: "_Session", sound: Sound, began_s: float) -> None:
        chunk_s = CHUNK / SOUND_CLOCK_HZ
        number = 0
        try:
            while not self._killed.wait(max(0.0, began_s + (number + 1) * chunk_s + sound.late_s - time.monotonic())):
                numbers = np.arange(number * CHUNK, (number + 1) * CHUNK)
                timestamp = FIRST_SOUND + number * CHUNK
                if sound.reports and number % 50 == 0:
                    session.send_report("sound", _utc_s(began_s + number * chunk_s), timestamp)
                if sound.sending.is_set():
                    session.send_sound(sound.samples(numbers), timestamp=timestamp)
                number += 1
        except OSError:
            pass


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    headers: dict[str, str]


class _Session:
    """One client's connection: replies and pictures share the socket."""

    def __init__(self, client: socket.socket, credentials: Credentials | None, kind: int, *, has_sound: bool) -> None:
        self._client = client
        self._kind = kind
        self._has_sound = has_sound
        self._channels = {"track": 0}  # of the interleaved connection, for each track that was set up
        self._sound_sequence = 0
        self._credentials = credentials
        self._datagrams: socket.socket | None = None
        self._writing = threading.Lock()
        self._sequence = 0

    @property
    def wants_sound(self) -> bool:
        return "sound" in self._channels

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
            return (
                "200 OK",
                ["Content-Type: application/sdp"],
                _description(self._kind) + (_SOUND_SDP if self._has_sound else ""),
            )
        if request.method == "SETUP":
            return "200 OK", ["Session: 1", f"Transport: {self._transport(request)}"], ""
        return "200 OK", ["Session: 1"], ""

    def _transport(self, request: _Request) -> str:
        ports = re.search(r"client_port=(\d+)", request.headers.get("transport", ""))
        if ports is None:
            asked = re.search(r"interleaved=(\d+)", request.headers.get("transport", ""))
            channel = int(asked[1]) if asked else 0
            self._channels["sound" if request.path.endswith("sound") else "track"] = channel
            return f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
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
        self._send("track", packets)

    def send_sound(self, samples: npt.NDArray[np.int16], *, timestamp: int) -> None:
        header = struct.pack(">BBHII", 0x80, RTP_L16, self._sound_sequence, timestamp, 2)
        self._sound_sequence = (self._sound_sequence + 1) & 0xFFFF
        self._send("sound", [header + samples.astype(">i2").tobytes()])

    def send_report(self, track: str, utc_s: float, timestamp: int) -> None:
        """What time a time stamp is."""
        ntp = round((utc_s + SINCE_1900_S) * 2**32)
        source = 1 if track == "track" else 2
        self._send(track, [struct.pack(">BBHIQIII", 0x80, 200, 6, source, ntp, timestamp, 0, 0)], control=True)

    def _send(self, track: str, packets: list[bytes], *, control: bool = False) -> None:
        channel = self._channels[track] + control
        framed = [struct.pack(">cBH", b"$", channel, len(packet)) + packet for packet in packets]
        with self._writing:
            self._client.sendall(b"".join(framed))


def _description(kind: int) -> str:
    lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=test", "c=IN IP4 0.0.0.0", "t=0 0", f"m=video 0 RTP/AVP {kind}"]
    return "\r\n".join([*lines, *SDP_LINES[kind], "a=control:track", ""])


_SOUND_SDP = "\r\n".join(
    [
        f"m=audio 0 RTP/AVP {RTP_L16}",
        f"a=rtpmap:{RTP_L16} L16/{SOUND_CLOCK_HZ}/1",
        "a=control:sound",
        "",
    ]
)


def _utc_s(monotonic_s: float) -> float:
    return time.time() - time.monotonic() + monotonic_s


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
