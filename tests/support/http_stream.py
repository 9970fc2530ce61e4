"""A small HTTP server for video: endless motion JPEG as network cameras send it, HLS, a recording, a page, a login."""

import contextlib
import itertools
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import av
import cv2

from streamaffect.types import ImageArray
from tests.support.rtsp_server import Credentials
from tests.support.videos import picture as numbered_picture

Picture = Callable[[int], ImageArray]
Wrapped = Callable[[bytes], bytes]

MOTION_JPEG = "multipart/x-mixed-replace; boundary=frame"

TRANSPORT_BYTES = 7 * 188  # so much of a transport stream is usually sent at once


def part(
    boundary: str = "--frame",
    *,
    kind: str = "Content-Type: image/jpeg",
    length: str = "Content-Length: {}",
    line: str = "\r\n",
    after: str = "\r\n",
) -> Wrapped:
    """How motion JPEG wraps a picture. kind, length: the fields of its head, empty for none; line, after: line ends"""

    def wrapped(jpeg: bytes) -> bytes:
        head = [boundary, *(field.format(len(jpeg)) for field in (kind, length) if field), "", ""]
        return line.join(head).encode() + jpeg + after.encode()

    return wrapped


@dataclass
class Hls:
    """A live playlist over pieces of a video: at each time it lists the last few.

    address: makes the reference to piece number n that the playlist has
    """

    pieces: list[bytes]
    piece_s: float
    address: Callable[[int], str] = "{}.ts".format
    listed: int = 4
    began_s: float = field(default_factory=time.monotonic)

    def playlist(self) -> str:
        """What it is now."""
        complete = min(len(self.pieces), self.listed + int((time.monotonic() - self.began_s) / self.piece_s))
        first = max(0, complete - self.listed)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{math.ceil(self.piece_s)}"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        for number in range(first, complete):
            lines += [f"#EXTINF:{self.piece_s:.3f},", self.address(number)]
        return "\n".join([*lines, ""])


def cut_into_pieces(folder: Path, *, pieces: int, piece_s: float, fps: int = 25) -> list[bytes]:
    """A video of numbered pictures in pieces of a transport stream, each of which begins with a key picture."""
    options = {"hls_time": str(piece_s), "hls_list_size": "0", "hls_segment_filename": str(folder / "%d.ts")}
    with av.open(str(folder / "all.m3u8"), "w", format="hls", options=options) as output:
        track = output.add_stream("mpeg2video", rate=fps, options={"g": str(round(piece_s * fps)), "bf": "0"})
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        for number in range(round(pieces * piece_s * fps)):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number % 32), format="bgr24")
            frame.pts = number
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    return [(folder / f"{number}.ts").read_bytes() for number in range(pieces)]


class HttpVideo:
    """Serves, from its construction until `kill`:

    - `/live`: motion JPEG; `/chunked`: the same in chunks; `/slow`: the same, a byte at a time
    - `/live.m3u8` and its pieces, where `hls` is given; `/stream`: its pieces as they are, round and round
    - `/moved`: a redirect to `moved_to`; `/locked`: 401
    - `/page`: text; `/sized`: text of a stated length; `/picture`: one JPEG; `/recording.mp4`: a file

    credentials: demanded for `/live`
    announced:   the type of `/live`; wrapped: how its pictures are; most: so many of them, None without an end
    away_to:     where `/live` sends everybody; empty is nowhere
    port:        0 takes a free one
    asked:       the paths that were asked for
    """

    def __init__(
        self,
        recording: Path | None = None,
        *,
        picture: Picture = lambda number: numbered_picture(number % 32),
        fps: float = 50.0,
        credentials: Credentials | None = None,
        moved_to: str = "/live",
        hls: Hls | None = None,
        port: int = 0,
        announced: str = MOTION_JPEG,
        wrapped: Wrapped = part(),  # noqa: B008  (it holds nothing that could change)
        most: int | None = None,
    ) -> None:
        self.recording = recording
        self.picture = picture
        self.fps = fps
        self.credentials = credentials
        self.moved_to = moved_to
        self.hls = hls
        self.announced = announced
        self.wrapped = wrapped
        self.most = most
        self.away_to = ""
        self.asked: list[str] = []
        self.stopping = threading.Event()
        self.connections: list[socket.socket] = []
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.video = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Break off every connection and free the port."""
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.stopping.is_set():
            self.kill()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    video: HttpVideo


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    @property
    def video(self) -> HttpVideo:
        return self.server.video

    def setup(self) -> None:
        super().setup()
        self.video.connections.append(self.connection)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.video.asked.append(path)
        try:
            if path.endswith(".ts"):
                self._send("video/mp2t", self._piece(path))
            else:
                name = "playlist" if path.endswith(".m3u8") else path.strip("/").partition(".")[0]
                getattr(self, f"_send_{name}", self._send_nothing)()
        except OSError:
            self.close_connection = True

    def _send_live(self) -> None:
        if self.video.away_to:
            self._send_moved(self.video.away_to)
            return
        wanted = self.video.credentials
        if wanted and not wanted.accept(self.headers.get("Authorization", ""), "GET"):
            self._send_locked(wanted.challenge)
            return
        self._head(200, self.video.announced)
        for one in itertools.islice(self._parts(), self.video.most):
            self.wfile.write(one)

    def _send_chunked(self) -> None:
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for one in self._parts():
            for begin in range(0, len(one), 100):
                chunk = one[begin : begin + 100]
                self.wfile.write(f"{len(chunk):x};extension\r\n".encode() + chunk + b"\r\n")

    def _send_slow(self) -> None:
        self._head(200, MOTION_JPEG)
        for one in self._parts():
            for byte in one:
                self.wfile.write(bytes([byte]))
                if self.video.stopping.wait(0.05):
                    return

    def _send_playlist(self) -> None:
        assert self.video.hls is not None
        self._send("application/vnd.apple.mpegurl", self.video.hls.playlist().encode())

    def _send_stream(self) -> None:
        assert self.video.hls is not None
        self._head(200, "video/mp2t")
        for piece in itertools.cycle(self.video.hls.pieces):
            parts = range(0, len(piece), TRANSPORT_BYTES)
            for begin in parts:
                self.wfile.write(piece[begin : begin + TRANSPORT_BYTES])
                if self.video.stopping.wait(self.video.hls.piece_s / len(parts)):
                    return

    def _send_page(self) -> None:
        self._head(200, "text/html")
        self.wfile.write(b"<html>not a video</html>")

    def _send_sized(self) -> None:
        self._send("text/html", b"<html>not a video</html>")

    def _send_picture(self) -> None:
        self._send("image/jpeg", _jpeg(self.video.picture(0)))

    def _send_recording(self) -> None:
        assert self.video.recording is not None
        self._head(200, "video/mp4")
        self.wfile.write(self.video.recording.read_bytes())

    def _send_moved(self, to: str = "") -> None:
        self.send_response(302)
        self.send_header("Location", to or self.video.moved_to)
        self.end_headers()

    def _send_locked(self, challenge: str = 'Basic realm="camera"') -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", challenge)
        self.end_headers()

    def _send_nothing(self) -> None:
        self.send_error(404)

    def _parts(self) -> Iterator[bytes]:
        number = 0
        while not self.video.stopping.wait(1 / self.video.fps):
            yield self.video.wrapped(_jpeg(self.video.picture(number)))
            number += 1

    def _piece(self, path: str) -> bytes:
        hls = self.video.hls
        assert hls is not None
        return hls.pieces[int(Path(path).stem)]

    def _send(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _head(self, status: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def _jpeg(image: ImageArray) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()
