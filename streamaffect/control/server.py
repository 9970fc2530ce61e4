"""The control address of a run: requests in, answers out, beside the feed and as careful of its peers as that is.

One thread owns the socket. What takes long, the opening of a camera, is done in a thread of its own, so that one
controller never waits for another.
"""

import logging
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Protocol

import msgspec
import zmq

from streamaffect.errors import ControlError, StreamAffectError
from streamaffect.feed.address import Address
from streamaffect.feed.commands import (
    MAX_REQUEST_BYTES,
    Add,
    Command,
    Drain,
    Prompts,
    Reply,
    Restart,
    decode_command,
)
from streamaffect.settings import FeedSettings
from streamaffect.sinks.zmq.admission import Admission
from streamaffect.sinks.zmq.allowances import Allowances
from streamaffect.sinks.zmq.binding import SocketFile, bind
from streamaffect.sinks.zmq.peers import Allowance, Peers

log = logging.getLogger(__name__)

HANDSHAKE_MS = 5_000
HEARTBEAT_MS, SILENCE_MS = 3_000, 10_000
MOST_CONTROLLERS = 32
ALLOWANCE = Allowance(burst_bytes=1 << 20, refill_bytes_per_s=1 << 20, what="the control address")
WAITING = 256  # requests of one peer, and answers to it
POLL_MS = 20
AT_ONCE = 256
LINGER_MS = 200
JOIN_S = 1.0
MOST_OPENINGS = 8
MODE = 0o600

Envelope = list[bytes]


class TakesCommands(Protocol):
    """What carries out commands: the desk of a run, or of a fleet."""

    def do(self, command: Command, *, origin: str) -> Reply:
        """Carry out a command of `origin`. Raises StreamAffectError where it is refused."""
        ...


class ControlServer:
    """Answers controllers from its construction until `close`.

    address:  where; checked by `streamaffect.feed.control_address`
    settings: the feed's, whose keys it takes where the address is no socket file
    allowed:  folder of those who may give commands; empty is the feed's list

    Raises WireError where the address cannot be bound or a key is missing.
    """

    def __init__(self, desk: TakesCommands, address: Address, settings: FeedSettings, *, allowed: str = "") -> None:
        self._desk = desk
        self._stop = threading.Event()
        self._late: SimpleQueue[tuple[Envelope, Reply]] = SimpleQueue()
        self._openings = 0
        self._failures = 0
        self._open = ExitStack()
        context = zmq.Context()
        self._open.callback(context.term)
        self._admission: Admission | None = None
        self._file: SocketFile | None = None
        try:
            self._socket = context.socket(zmq.ROUTER)
            self._open.callback(self._socket.close, LINGER_MS)
            self._peers = Peers(self._socket, None, most=MOST_CONTROLLERS, allowance=ALLOWANCE)
            self._open.callback(self._peers.close)
            self._configure(address)
            if settings.server_key and address.transport == "tcp":
                lists = allowed or settings.allowed_clients
                keys = msgspec.structs.replace(settings, allowed_clients=lists)
                self._admission = Admission(self._socket, keys, Allowances())
                self._open.callback(self._admission.close)
            self._file = bind(self._socket, address, flag="--control")
            if self._file is not None:
                self._open.callback(self._file.remove)
                Path(address.path).chmod(MODE)
        except BaseException:
            self._open.close()
            raise
        self.address: Final = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer what was asked, and free the address. Doing it again does nothing."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(JOIN_S)
        if not self._thread.is_alive():
            self._open.close()

    def _configure(self, address: Address) -> None:
        options = {
            zmq.MAXMSGSIZE: MAX_REQUEST_BYTES,
            zmq.RCVHWM: WAITING,
            zmq.SNDHWM: WAITING,
            zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
            zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
            zmq.HEARTBEAT_TIMEOUT: SILENCE_MS,
            zmq.IPV6: int(address.is_ipv6),
        }
        for option, value in options.items():
            self._socket.setsockopt(option, value)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._serve()
            except Exception as error:
                self._failures += 1
                if self._failures == 1:
                    log.error("control: %s: %s (logged once)", type(error).__name__, error)
                self._stop.wait(POLL_MS / 1e3)

    def _serve(self) -> None:
        self._peers.look()
        if self._admission is not None:
            self._admission.watch()
        if self._socket.poll(POLL_MS):
            for _ in range(AT_ONCE):
                try:
                    frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
                except zmq.Again:
                    break
                self._take(frames)
        self._send_late()

    def _take(self, frames: list[zmq.Frame]) -> None:
        """Answer a request, or have it answered later; nobody beyond the limits is answered."""
        with suppress(zmq.ZMQError):  # sent by nobody any more
            if not self._peers.may_ask(int(frames[-1].get(zmq.SRCFD)), len(frames[-1])):
                return
        envelope = [frame.bytes for frame in frames[:-1]]
        try:
            command = decode_command(frames[-1].bytes)
        except ControlError as error:
            self._send(envelope, _refusal(error))
            return
        if not isinstance(command, Add | Prompts | Drain | Restart):
            self._send(envelope, self._do(command))
        elif self._openings >= MOST_OPENINGS:
            self._send(
                envelope,
                _refusal(ControlError(f"{self._openings} streams or prompts are being opened; ask again later")),
            )
        else:
            self._openings += 1
            threading.Thread(target=self._do_later, args=(envelope, command), name="control-add", daemon=True).start()

    def _do(self, command: Command) -> Reply:
        try:
            return self._desk.do(command, origin="ctl")
        except StreamAffectError as error:
            return _refusal(error)
        except Exception as error:
            log.error("control: %s: %s", type(error).__name__, error, exc_info=log.isEnabledFor(logging.DEBUG))
            return Reply(ok=False, error=f"{type(error).__name__}; the log of the run says more")

    def _do_later(self, envelope: Envelope, command: Command) -> None:
        self._late.put((envelope, self._do(command)))

    def _send_late(self) -> None:
        with suppress(Empty):
            while True:
                envelope, reply = self._late.get_nowait()
                self._openings -= 1
                self._send(envelope, reply)

    def _send(self, envelope: Envelope, reply: Reply) -> None:
        with suppress(zmq.Again, zmq.ZMQError):  # who does not take its answers, or has gone, gets none
            self._socket.send_multipart([*envelope, msgspec.json.encode(reply)], zmq.NOBLOCK)


def _refusal(error: StreamAffectError) -> Reply:
    return Reply(ok=False, error=str(error).encode("utf-8", "replace").decode())
