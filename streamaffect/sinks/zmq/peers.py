"""Who is connected to the feed, and how much each may ask of it.

A peer costs memory by what it subscribes to, about 40 bytes for each byte, and time of everybody when it goes. So each
may send a subscriber's few hundred bytes, with much to spare; one that sends more, or connects beyond the limit, is cut
off. ZeroMQ has no call for that: its monitor tells the descriptor of each connection, and that is shut down.
"""

import logging
import os
import resource
import socket as sockets
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count

import zmq

from streamaffect.sinks.zmq.allowances import Allowances

log = logging.getLogger(__name__)

BURST_BYTES = 1 << 16  # what a peer may send at once: a thousand subscriptions to single tracks
REFILL_BYTES_PER_S = 64.0
PRICE_BYTES = 32  # of a subscription, beside its length
MAX_STRANGERS = 128  # connections that have not subscribed to anything yet
ALWAYS_ALLOWED = 1 << 16
LOG_PERIOD_S = 60.0
_EVENTS = zmq.EVENT_LISTENING | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
_EVENT = struct.Struct("=Hi")  # what has happened, and the descriptor
_numbers = count()


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many bytes a connection may send at once, and how many more each second; `what` it is connected to."""

    burst_bytes: int
    refill_bytes_per_s: float
    what: str


SUBSCRIBING = Allowance(BURST_BYTES, REFILL_BYTES_PER_S, "the feed")


@dataclass(slots=True)
class Peer:
    """One connection.

    inode:     of its socket, by which a descriptor is known to be still the same
    host:      its address; empty for an ipc socket
    allowance: bytes that it may send, as of `at_s`
    """

    inode: int
    host: str
    allowance: float
    at_s: float
    subscribes: bool = False
    cut: bool = False

    def spend(self, size: int, now_s: float, limit: Allowance = SUBSCRIBING) -> bool:
        """Take from the allowance; False where it is used up."""
        refilled = self.allowance + (now_s - self.at_s) * limit.refill_bytes_per_s
        self.allowance, self.at_s = min(limit.burst_bytes, refilled) - size, now_s
        return self.allowance >= 0.0


class Peers:
    """The connections of a socket that is about to be bound. Used by the thread that owns the socket.

    hosts:     what each host may cost in all its connections together; None where that is limited otherwise
    most:      so many may subscribe, or ask, at once; a further one is cut off, and comes again by itself
    allowance: what each connection may send
    """

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        hosts: Allowances | None,
        *,
        most: int,
        allowance: Allowance = SUBSCRIBING,
    ) -> None:
        self._hosts = hosts
        # What is left of the descriptors is for cameras and files.
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        allowed = ALWAYS_ALLOWED if allowed == resource.RLIM_INFINITY else allowed
        self._most, self._most_strangers = min(most, allowed // 2), min(MAX_STRANGERS, allowed // 8)
        self._allowance = allowance
        self._peers: dict[int, Peer] = {}
        self._listener: object = None
        self._logged_s = -LOG_PERIOD_S
        self._socket = socket
        address = f"inproc://peers-{next(_numbers)}"
        socket.monitor(address, _EVENTS)
        self._monitor = socket.context.socket(zmq.PAIR)
        self._monitor.setsockopt(zmq.RCVHWM, 0)  # without a limit, since ZeroMQ's own thread would wait at it
        self._monitor.connect(address)

    @property
    def subscribers(self) -> int:
        """How many have subscribed to something and are still connected."""
        return sum(peer.subscribes and not peer.cut for peer in self._peers.values())

    def look(self) -> None:
        """Take note of who has come and gone, and cut off strangers where there are too many: the oldest first."""
        while (happened := self._event()) is not None:
            event, descriptor = happened
            if event == zmq.EVENT_LISTENING:
                with _borrowed(descriptor) as listener:
                    self._listener = None if listener is None else _local_end(listener)
            elif event == zmq.EVENT_ACCEPTED:
                self._note(descriptor)
            else:
                self._peers.pop(descriptor, None)
        strangers = [one for one, peer in self._peers.items() if not peer.subscribes and not peer.cut]
        for descriptor in strangers[: max(0, len(strangers) - self._most_strangers)]:
            self._cut(descriptor, f"more than {self._most_strangers} connections that subscribe to nothing")

    def may_subscribe(self, descriptor: int, size: int) -> bool:
        """Charge a subscription of so many bytes to its peer. False where it is not to be served."""
        return self._may(descriptor, size, ("subscribers (feed.max_subscribers)", "subscriber", "of subscriptions"))

    def may_ask(self, descriptor: int, size: int) -> bool:
        """Charge a request of so many bytes to its peer. False where it is not to be answered."""
        return self._may(descriptor, size, ("controllers", "controller", "of requests at once"))

    def _may(self, descriptor: int, size: int, words: tuple[str, str, str]) -> bool:
        many, one, sent = words
        if descriptor not in self._peers:
            self.look()
        peer = self._peers.get(descriptor)
        if peer is None or peer.cut:  # it has gone in the meantime, or is about to
            return False
        if not peer.subscribes and sum(other.subscribes for other in self._peers.values()) >= self._most:
            self._cut(descriptor, f"more than {self._most} {many}")
            return False
        peer.subscribes = True
        if not peer.spend(size + PRICE_BYTES, time.monotonic(), self._allowance):
            self._cut(descriptor, f"a {one} that sent more than {self._allowance.burst_bytes >> 10} KiB {sent}")
            return False
        if self._hosts is not None and not self._hosts.spend(peer.host, size + PRICE_BYTES):
            self._cut(descriptor, "a host that connects and subscribes too often")
            return False
        return True

    def close(self) -> None:
        """Stop watching."""
        self._socket.monitor(None, 0)
        self._monitor.close(linger=0)

    def _event(self) -> tuple[int, int] | None:
        """What has happened, and the descriptor of the connection that it happened to."""
        try:
            message = self._monitor.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        # As libzmq's zmq_socket_monitor(3) has it. PyZMQ reads it too, and loads asyncio for that.
        event, descriptor = _EVENT.unpack_from(message[0])
        return event, descriptor

    def _note(self, descriptor: int) -> None:
        with _borrowed(descriptor) as connection:
            if connection is None or _local_end(connection) != self._listener:
                self._peers.pop(descriptor, None)  # closed already, and something else may have its number
                return
            inode, host = os.fstat(connection.fileno()).st_ino, _remote_host(connection)
        self._peers.pop(descriptor, None)  # so that the newest stands last
        self._peers[descriptor] = Peer(inode, host, self._allowance.burst_bytes, time.monotonic())

    def _cut(self, descriptor: int, reason: str) -> None:
        peer = self._peers[descriptor]
        peer.cut = True
        with _borrowed(descriptor) as connection:
            if connection is not None and os.fstat(connection.fileno()).st_ino == peer.inode:
                with suppress(OSError):  # it has gone by itself
                    connection.shutdown(sockets.SHUT_RDWR)
        now_s = time.monotonic()
        if now_s - self._logged_s >= LOG_PERIOD_S:
            self._logged_s = now_s
            log.warning("%s has cut off %s (logged once a minute)", self._allowance.what, reason)


@contextmanager
def _borrowed(descriptor: int) -> Iterator[sockets.socket | None]:
    """A socket of ZeroMQ's, for a moment, under a number of our own; None where it is closed, or no socket any more."""
    try:
        own = os.dup(descriptor)
    except OSError:
        yield None
        return
    try:
        connection = sockets.socket(fileno=own)
    except OSError:
        os.close(own)
        yield None
        return
    with connection:
        yield connection


def _remote_host(connection: sockets.socket) -> str:
    try:
        name = connection.getpeername()
    except OSError:  # it has gone again
        return ""
    return str(name[0]) if isinstance(name, tuple) else ""


def _local_end(connection: sockets.socket) -> object:
    """The port, or the path of an ipc socket: equal for a listener and for all that it has accepted."""
    name = connection.getsockname()
    return name[1] if isinstance(name, tuple) else name
