"""A small HTTP server for video: an endless motion JPEG as network cameras send it, a recording, a page, a login."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from tests.support.videos import picture


class HttpVideo:
    """Serves `/live` (motion JPEG), `/page` (text), `/locked` (401) and, where given, a file at `/recording.mp4`."""

    def __init__(self, recording: Path | None = None) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.recording = recording  # type: ignore[attr-defined]
        self._server.stopping = threading.Event()  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stopping.set()  # type: ignore[attr-defined]
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            getattr(self, f"_send_{self.path.strip('/').partition('.')[0]}", self._send_nothing)()
        except OSError:
            self.close_connection = True

    def _send_live(self) -> None:
        self._head(200, "multipart/x-mixed-replace; boundary=frame")
        number = 0
        while not self.server.stopping.wait(0.02):  # type: ignore[attr-defined]
            _, encoded = cv2.imencode(".jpg", picture(number % 32))
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(encoded)}\r\n\r\n"
            self.wfile.write(head.encode() + encoded.tobytes() + b"\r\n")
            number += 1

    def _send_page(self) -> None:
        self._head(200, "text/html")
        self.wfile.write(b"<html>not a video</html>")

    def _send_recording(self) -> None:
        self._head(200, "video/mp4")
        self.wfile.write(self.server.recording.read_bytes())  # type: ignore[attr-defined]

    def _send_locked(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="camera"')
        self.end_headers()

    def _send_nothing(self) -> None:
        self.send_error(404)

    def _head(self, status: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass
