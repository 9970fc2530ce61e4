"""A proxy between a program and a camera that plays the faults of networks and hosts.

It forwards TCP connections to a server of this machine. What is wrong is set at any time, also for connections that are
open: the server itself stays as it is.
"""

import contextlib
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Literal, Self

Fault = Literal["none", "refused", "black hole", "headers only", "frozen", "closed", "dripping", "corrupt"]

RESET = struct.pack("ii", 1, 0)  # so that closing is a reset
CORRUPT_EACH = 40  # so many pictures of motion JPEG over RTP
RTP_HEADERS = 40  # bytes of a packet that are left as they are
DRIP_S = 0.2


class FaultProxy:
    """Listens at `port` of 127.0.0.1, and forwards to `server_port` there.

    - refused: connections are reset, new ones refused
    - black hole: nothing comes back from anywhere, as from a host that is switched off
    - headers only: conversations begin, pictures do not come
    - frozen: connections are taken, nothing is answered
    - closed: connections are taken and closed
    - dripping: a byte now and then
    - corrupt: one in `CORRUPT_EACH` pictures has other bytes than were sent; RTSP alone
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._fault: Fault = "none"
        self._changed = threading.Condition()
        self._is_closed = False
        self._open: set[socket.socket] = set()
        self._fillers: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._run(self._accept, self._listener)

    @property
    def fault(self) -> Fault:
        """What is wrong now."""
        return self._fault

    def play(self, fault: Fault) -> None:
        """From now on this is wrong."""
        listens_before, self._fault = self._listens, fault
        if fault in ("refused", "closed"):
            self._hang_up()
        if listens_before != self._listens or fault == "black hole":
            self._listen()
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """End everything."""
        self._is_closed = True
        with self._changed:
            self._changed.notify_all()
        _shut(self._listener)
        self._hang_up()
        for filler in self._fillers:
            filler.close()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _listens(self) -> bool:
        return self._fault not in ("refused", "black hole")

    def _run(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        """Open the port anew, in the way of the fault."""
        _shut(self._listener)
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        if self._fault == "refused":
            return
        self._listener = socket.create_server(
            ("127.0.0.1", self.port), backlog=0 if self._fault == "black hole" else 128
        )
        if self._fault == "black hole":
            # A queue that is full lets the kernel ignore whoever else knocks.
            for _ in range(2):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", self.port))
                self._fillers.append(filler)
        else:
            self._run(self._accept, self._listener)

    def _hang_up(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # closed by its thread just now
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            _shut(connection)
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while not self._is_closed:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self._fault == "closed":
                client.close()
                continue
            self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        self._wait_while("frozen")
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port))
        except OSError:
            _shut(client)
            return
        self._open.add(server)
        self._run(self._forward, client, server, None)
        self._forward(server, client, _Payload())

    def _forward(self, source: socket.socket, target: socket.socket, payload: "_Payload | None") -> None:
        try:
            while not self._is_closed and (data := source.recv(1 if self._fault == "dripping" else 65536)):
                self._wait_while("frozen", "black hole")
                if payload is not None:
                    data = payload.pass_on(data, self._fault)
                if self._fault == "dripping":
                    time.sleep(DRIP_S)
                target.sendall(data)
        except OSError:
            pass
        for connection in (source, target):
            _shut(connection)
            self._open.discard(connection)

    def _wait_while(self, *faults: Fault) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._fault not in faults)


class _Payload:
    """Tells pictures from the conversation about them: RTP packets in RTSP, or what follows an HTTP reply's head."""

    def __init__(self) -> None:
        self._kept = b""
        self._is_http: bool | None = None
        self._pictures = 0

    def pass_on(self, data: bytes, fault: Fault) -> bytes:
        if self._is_http is None:
            self._is_http = data.startswith(b"HTTP/")
        if self._is_http:
            return self._pass_on_http(data, fault)
        return self._pass_on_rtsp(data, fault)

    def _pass_on_http(self, data: bytes, fault: Fault) -> bytes:
        if fault != "headers only":
            return data
        head, end, _ = data.partition(b"\r\n\r\n")
        return head + end if head.startswith(b"HTTP/") else b""

    def _pass_on_rtsp(self, data: bytes, fault: Fault) -> bytes:
        data, self._kept, passed = self._kept + data, b"", b""
        while data:
            if not data.startswith(b"$"):
                text, dollar, rest = data.partition(b"$")
                passed, data = passed + text, dollar + rest
                continue
            end = 4 + int.from_bytes(data[2:4], "big") if len(data) >= 4 else len(data) + 1
            if len(data) < end:
                self._kept = data
                break
            packet, data = data[:end], data[end:]
            passed += self._packet(packet, fault)
        return passed

    def _packet(self, packet: bytes, fault: Fault) -> bytes:
        if fault == "headers only":
            return b""
        is_last = bool(packet[5] & 0x80)
        is_corrupt = fault == "corrupt" and self._pictures % CORRUPT_EACH == CORRUPT_EACH - 1
        self._pictures += is_last
        if not is_corrupt or len(packet) <= RTP_HEADERS:
            return packet
        return packet[:RTP_HEADERS] + bytes(byte ^ 0x5A for byte in packet[RTP_HEADERS:])


def _shut(open_socket: socket.socket) -> None:
    with contextlib.suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
    open_socket.close()
