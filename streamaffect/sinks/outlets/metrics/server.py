"""A small HTTP server for questions that a machine asks: few paths, GET alone, nothing kept."""

import errno
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from streamaffect.errors import OutletError
from streamaffect.sinks.outlets.address import HostPort

MOST_AT_ONCE: Final = 16
SILENT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a path."""

    status: int
    kind: str
    body: bytes


Respond = Callable[[str, str], Answer | None]  # path and what is accepted → answer, None where there is none


class MetricsServer:
    """Answers until `close`. Raises OutletError where the address cannot be bound.

    port: the one that was bound
    """

    def __init__(self, where: HostPort, respond: Respond) -> None:
        try:
            self._server = _server_of(where)(where, respond)
        except (OSError, OverflowError) as error:
            raise _refused(where, error) from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics-http", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Answer nothing more, and free the address."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_AT_ONCE

    def __init__(self, where: HostPort, respond: Respond) -> None:
        self.respond = respond
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__((where.host, where.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread each, and no more than so many: who comes then is turned away."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up in the middle is nobody's concern."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    timeout = SILENT_S
    server_version, sys_version = "streamaffect", ""
    server: _Server

    def do_GET(self) -> None:
        """Answer, or say that there is nothing."""
        path = self.path.partition("?")[0]
        answer = self.server.respond(path, self.headers.get("Accept", ""))
        answer = answer or Answer(404, "text/plain; charset=utf-8", b"/metrics, /livez or /readyz\n")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def do_HEAD(self) -> None:
        """The same without its content."""
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Questions come each few seconds; nobody wants a line for each."""


def _server_of(where: HostPort) -> type[_Server]:
    return _Server6 if ":" in where.host else _Server


def _refused(where: HostPort, error: Exception) -> OutletError:
    number = error.errno if isinstance(error, OSError) else None
    reasons = {
        errno.EADDRINUSE: "the address is in use; stop what uses it, or choose another port",
        errno.EADDRNOTAVAIL: "this machine has no such address",
        errno.EACCES: "no permission; use a port above 1023",
    }
    if isinstance(error, socket.gaierror):
        return OutletError(f"metrics.bind {where}: unknown host {where.host}")
    reason = reasons.get(number or 0, getattr(error, "strerror", None) or str(error))
    return OutletError(f"metrics.bind {where}: {reason}", transient=number in (errno.EADDRINUSE, errno.EADDRNOTAVAIL))
