"""Markers as lines over TCP on this machine, as E-Prime, PsychoPy and most stimulus software can send them.

A line ends with LF, CR or both; what comes without an end counts as a line after a moment, since some programs send
none. The moment that is marked is when the first byte of the line was read.
"""

import errno
import logging
import re
import selectors
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass

from streamaffect.clock import monotonic_ns
from streamaffect.control.markers.base import SetMarker
from streamaffect.errors import WireError

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
MOST_CONNECTIONS = 16
MOST_BYTES = 1024  # of a line; what is longer is marked by its beginning
READ_BYTES = 1 << 16
COMPLETE_AFTER_S = 0.1
POLL_S = 0.05
JOIN_S = 1.0
_REASONS = {
    errno.EADDRINUSE: "the port is in use; stop what uses it, or choose another port",
    errno.EACCES: "no permission; use a port above 1023",
}
_END = re.compile(rb"\r\n|\n|\r|\0")
_HTTP = re.compile(rb"[A-Z]{3,10} \S+ HTTP/\d")


@dataclass(slots=True)
class _Line:
    """What has come of a connection's next line, and when it began."""

    begun: bytes = b""
    since_ns: int = 0
    fresh: bool = True


class TcpMarkers:
    """Listens on the loopback address until `close`. Raises WireError where the port cannot be had.

    port: the one that is listened on, also where 0 was asked for
    """

    def __init__(self, port: int, set_marker: SetMarker) -> None:
        self._set = set_marker
        self._stop = threading.Event()
        self._refused = False
        try:
            self._listener = socket.create_server((HOST, port), backlog=MOST_CONNECTIONS)
        except OSError as error:
            reason = _REASONS.get(error.errno or 0, error.strerror)
            raise WireError(f"--markers tcp:{port}: {reason}", transient=error.errno == errno.EADDRINUSE) from error
        self.port = int(self._listener.getsockname()[1])
        self._origin = f"tcp:{self.port}"
        self._lines: dict[socket.socket, _Line] = {}
        self._listener.settimeout(0.0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        log.info("markers are taken as lines at %s:%d", HOST, self.port)
        self._thread = threading.Thread(target=self._run, name=f"markers-{self._origin}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._stop.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        with self._selector, self._listener:
            while not self._stop.is_set():
                ready = self._selector.select(POLL_S)
                now_ns = monotonic_ns()
                for key, _ in ready:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.fileobj, socket.socket):
                        self._read(key.fileobj, now_ns)
                self._complete(now_ns)
            for connection in list(self._lines):
                self._drop(connection)

    def _accept(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            if len(self._lines) >= MOST_CONNECTIONS:
                connection.close()
                log.warning("%s: more than %d connections; a further one was closed", self._origin, MOST_CONNECTIONS)
                return
            connection.settimeout(0.0)
            self._selector.register(connection, selectors.EVENT_READ)
            self._lines[connection] = _Line()

    def _read(self, connection: socket.socket, now_ns: int) -> None:
        try:
            content = connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        line = self._lines[connection]
        if not content:
            self._flush(line)
            self._drop(connection)
            return
        if line.fresh and _HTTP.match(content):  # a page in a browser can connect here, and must not set markers
            log.warning("%s: a web browser has connected, and was sent away; markers are bare lines", self._origin)
            self._drop(connection)
            return
        line.fresh = False
        *complete, rest = _END.split(line.begun + content)
        for number, text in enumerate(complete):
            self._mark(text, line.since_ns if number == 0 and line.begun else now_ns)
        if complete or not line.begun:
            line.since_ns = now_ns
        line.begun = rest[:MOST_BYTES]

    def _complete(self, now_ns: int) -> None:
        for line in self._lines.values():
            if line.begun and now_ns - line.since_ns > COMPLETE_AFTER_S * 1e9:
                self._flush(line)

    def _flush(self, line: _Line) -> None:
        self._mark(line.begun, line.since_ns)
        line.begun = b""

    def _mark(self, text: bytes, at_ns: int) -> None:
        if text.strip():
            self._set(text[:MOST_BYTES].decode("utf-8", "backslashreplace"), origin=self._origin, monotonic_ns=at_ns)

    def _drop(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._lines[connection]
        connection.close()
