"""Connections to hosts on which every wait ends: at a limit, or because somebody cuts them."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Self

from streamaffect.errors import SourceEndedError, SourceOpenError
from streamaffect.sources.remote.address import Address
from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.race import first_connected
from streamaffect.sources.remote.resolver import Place


class Line:
    """One open connection. One thread uses it; `Lines.cut` ends it from another."""

    def __init__(self, lines: "Lines", connection: socket.socket) -> None:
        self._lines = lines
        self._connection = connection

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of `data`; raises OSError, TimeoutError among them."""
        self._connection.settimeout(deadline.left_s())
        self._connection.sendall(data)

    def receive(self, most: int, deadline: Deadline) -> bytes:
        """Wait for up to `most` bytes; none at the end. Raises OSError, TimeoutError among them."""
        self._connection.settimeout(deadline.left_s())
        return self._connection.recv(most)

    def receive_into(self, buffer: bytearray, deadline: Deadline) -> int:
        """Wait for bytes and put them into `buffer`; 0 is the end. Raises OSError, TimeoutError among them."""
        self._connection.settimeout(deadline.left_s())
        return self._connection.recv_into(buffer)

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._connection.fileno()

    @property
    def has_more(self) -> bool:
        """True where bytes have come that waiting on the descriptor would not show."""
        return isinstance(self._connection, ssl.SSLSocket) and self._connection.pending() > 0

    @property
    def peer(self) -> str:
        """The number of the host at the other end."""
        return str(self._connection.getpeername()[0])

    def release(self) -> None:
        """From now on its user alone ends it; `Lines.cut` does not."""
        self._lines.forget(self._connection)

    def close(self) -> None:
        """Hang up. Calling it again does nothing."""
        self._lines.drop(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Lines:
    """All connections of one attempt and of what comes of it; any thread may cut them, for good."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_cut = False

    @property
    def is_cut(self) -> bool:
        """True once `cut` was called."""
        return self._is_cut

    def connect(self, address: Address, places: Sequence[Place], deadline: Deadline, *, label: str) -> Line:
        """Connect to the first place that takes the connection, encrypted where the address says so.

        Raises:
            SourceOpenError: with the reason in one line.
            SourceEndedError: `cut` was called.
        """
        try:
            connection = first_connected(places, deadline, keep=self.keep, drop=self.drop)
            if address.is_encrypted:
                connection = self._encrypted(connection, address.host, deadline)
        except ssl.SSLError as error:
            message = f"{label}: the host does not speak {address.scheme} on port {address.port}; check scheme and port"
            raise SourceOpenError(message) from error
        except OSError as error:
            if self._is_cut:
                raise SourceEndedError(f"{label}: was closed") from error
            raise _unreachable(error, address, deadline, label) from error
        return Line(self, connection)

    def keep(self, connection: socket.socket) -> socket.socket:
        """Cut this one too, when the time comes. Raises ConnectionAbortedError where it has come."""
        with self._lock:
            if self._is_cut:
                connection.close()
                raise ConnectionAbortedError("was cut")
            self._open.add(connection)
        return connection

    def forget(self, connection: socket.socket) -> None:
        """Leave one connection to whoever uses it."""
        with self._lock:
            self._open.discard(connection)

    def drop(self, connection: socket.socket) -> None:
        """Close one connection."""
        self.forget(connection)
        connection.close()

    def cut(self) -> None:
        """End every wait on every connection, and refuse new ones."""
        with self._lock:
            self._is_cut = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    # Closing would not wake whoever waits, and an encrypted one must not say goodbye from here.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up on every connection, for good; only the thread that uses them may."""
        self.cut()
        with self._lock:
            while self._open:
                self._open.pop().close()

    def _encrypted(self, connection: socket.socket, host: str, deadline: Deadline) -> socket.socket:
        # Cameras sign their certificates themselves: the line is encrypted, and nobody's word is checked.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection.settimeout(deadline.left_s())
        try:
            with self._lock:
                self._open.discard(connection)
            wrapped = context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
            self.keep(wrapped)
            try:
                wrapped.do_handshake()
            except BaseException:
                self.drop(wrapped)
                raise
        except BaseException:
            connection.close()
            raise
        return wrapped


def _unreachable(error: OSError, address: Address, deadline: Deadline, label: str) -> SourceOpenError:
    port = address.port
    if isinstance(error, ConnectionRefusedError):
        return SourceOpenError(
            f"{label}: the host refuses connections on port {port}; is the server running, is the port right?"
        )
    if isinstance(error, TimeoutError):
        return SourceOpenError(
            f"{label}: no answer on port {port} within {deadline.seconds:g} s; is the host on, is a firewall between?"
        )
    reason = (error.strerror or type(error).__name__).lower()
    return SourceOpenError(f"{label}: the host cannot be reached ({reason}); check the network")
