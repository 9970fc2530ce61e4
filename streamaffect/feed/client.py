"""The subscriber's side of a feed.

    with Subscriber("tcp://127.0.0.1:5556") as feed:
        for estimate in feed:
            print(estimate.track, estimate.valence, estimate.arousal)

One thread owns the socket and keeps the newest messages, so that `latest()` never waits and a slow loop loses old
messages rather than falling behind. ZeroMQ connects, and connects again, by itself.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import zmq
from zmq.utils.monitor import recv_monitor_message

from streamaffect.errors import FeedTimeoutError, WireError
from streamaffect.feed.address import parse_address
from streamaffect.feed.alive import ALIVE
from streamaffect.feed.keys import ClientKeys, check_curve, load_client
from streamaffect.feed.state import FeedState
from streamaffect.feed.wire import decode, read_envelope, topic_prefix
from streamaffect.paths import from_home
from streamaffect.types import Estimate, Health, Message, Meta

log = logging.getLogger(__name__)

Connection = Literal["waiting", "connected", "refused", "closed"]
SUBSCRIBED = ("meta", "event", "health", "affect")  # meta first: it tells of a new run
POLL_MS = 100
RECONNECT_MS, RECONNECT_MAX_MS = 100, 2000
_REFUSALS = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
_CONNECTION_EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | _REFUSALS


class Subscriber:
    """An iterable of the estimates of a feed; safe to use and to close from several threads.

    address:   tcp://HOST:PORT or ipc://PATH; the publisher need not be there yet
    stream:    only this stream; None takes all of them
    keys:      a subscriber's key folder, or its content, for an encrypted feed
    max_age_s: skip live estimates that were captured longer ago by this machine's clock
    timeout_s: raise FeedTimeoutError from a loop when nothing came for so long; None waits for ever
    capacity:  messages that wait for a slow loop before the oldest are dropped

    Raises WireError where the address or a key is not usable.
    """

    def __init__(
        self,
        address: str,
        *,
        stream: str | None = None,
        keys: ClientKeys | Path | str | None = None,
        max_age_s: float | None = None,
        timeout_s: float | None = None,
        capacity: int = 1000,
    ) -> None:
        self.address = address
        self._max_age_s = max_age_s
        self._timeout_s = timeout_s
        self._capacity = capacity
        self._queue: deque[Message] = deque()
        self._state = FeedState()
        self._changed = threading.Condition()
        self._connection: Connection = "waiting"
        self._dropped = self._stale = self._unreadable = 0
        self._context = zmq.Context()
        try:
            socket = self._connect(stream, keys)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._thread = threading.Thread(target=self._run, args=(socket,), name="subscriber", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Estimate]:
        """Estimates as they come, until the subscriber is closed."""
        for message in self.messages():
            if isinstance(message, Estimate):
                yield message

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def messages(self) -> Iterator[Message]:
        """Messages of every kind as they come, until the subscriber is closed. Raises FeedTimeoutError."""
        while True:
            message = self.receive(self._timeout_s)
            if message is not None:
                yield message
            elif self.connection == "closed":
                return
            else:
                raise FeedTimeoutError(
                    f"{self.address}: nothing came for {self._timeout_s:g} s ({self.connection}); "
                    "check that a stream is running there and that the name of the stream is right"
                )

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next message of any kind; None where none came in time or the subscriber is closed."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                self._changed.wait_for(lambda: self._queue or self._connection == "closed", timeout=left)
                if not self._queue:
                    return None
                message = self._queue.popleft()
                if not self._is_stale(message):
                    return message
                self._stale += 1

    def latest(self, *, stream: str | None = None, track: int | None = None) -> Estimate | None:
        """The newest estimate, of one track or of all; None where there is none that is young enough. Never waits."""
        return next(iter(self.latest_of_each(stream=stream, track=track)), None)

    def latest_of_each(self, *, stream: str | None = None, track: int | None = None) -> list[Estimate]:
        """The newest estimate of each living track, the newest of them first. Never waits."""
        with self._changed:
            estimates = self._state.estimates(stream=stream, track=track)
        return [estimate for estimate in estimates if not self._is_stale(estimate)]

    def health(self, stream: str | None = None) -> Health | None:
        """The newest health message, of one stream or of the first."""
        with self._changed:
            return self._state.health(stream)

    def meta(self, stream: str | None = None) -> Meta | None:
        """What the publisher says of a stream: its model, heads and engine."""
        with self._changed:
            return self._state.meta(stream)

    @property
    def connection(self) -> Connection:
        """waiting for a publisher; connected; refused, mostly for a missing or wrong key; closed."""
        return self._connection

    @property
    def lost(self) -> int:
        """Estimates that were published and never came, seen from the gaps in `seq`."""
        with self._changed:
            return self._state.lost

    @property
    def dropped(self) -> int:
        """Messages that came and were dropped here because the loop was too slow to take them."""
        return self._dropped

    @property
    def stale(self) -> int:
        """Estimates that were skipped for their age."""
        return self._stale

    @property
    def unreadable(self) -> int:
        """Messages that were no messages of schema v1; the first one is logged."""
        return self._unreadable

    def close(self) -> None:
        """End every loop over this subscriber and free the socket."""
        with self._changed:
            self._connection = "closed"
            self._queue.clear()
            self._changed.notify_all()
        self._thread.join()

    def _connect(self, stream: str | None, keys: ClientKeys | Path | str | None) -> "zmq.Socket[bytes]":
        address = parse_address(self.address)
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        socket.setsockopt(zmq.IPV6, int(address.is_ipv6))
        for option, value in ALIVE.items():
            socket.setsockopt(option, value)
        if keys is not None:
            check_curve()
            client = keys if isinstance(keys, ClientKeys) else load_client(from_home(keys))
            socket.curve_publickey, socket.curve_secretkey = client.own.public, client.own.secret
            socket.curve_serverkey = client.server
        for kind in SUBSCRIBED:
            socket.subscribe(topic_prefix(kind, stream))
        self._monitor = socket.get_monitor_socket(_CONNECTION_EVENTS)  # first, so that no event is missed
        try:
            socket.connect(address.text)
        except zmq.ZMQError as error:
            raise WireError(f"{self.address}: {error.strerror}; expected tcp://HOST:PORT or ipc://PATH") from error
        return socket

    def _run(self, socket: "zmq.Socket[bytes]") -> None:
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        refused_s: float | None = None
        while self._connection != "closed":
            ready = dict(poller.poll(POLL_MS))
            if self._monitor in ready:
                self._note_connection(int(recv_monitor_message(self._monitor)["event"]))
                refused_s = time.monotonic() if self._connection == "refused" else None
            if socket in ready:
                self._take(socket.recv_multipart())
            if refused_s is not None and time.monotonic() - refused_s > RECONNECT_MAX_MS / 1000:
                refused_s = None
                self._connect_again(socket)
        socket.disable_monitor()
        self._context.destroy(linger=0)

    def _connect_again(self, socket: "zmq.Socket[bytes]") -> None:
        """After a refusal ZeroMQ gives an address up for ever; the feed may come back with other keys, though."""
        address = parse_address(self.address).text
        with suppress(zmq.ZMQError):
            socket.disconnect(address)
        socket.connect(address)

    def _note_connection(self, event: int) -> None:
        with self._changed:
            if self._connection == "closed":
                return
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._connection = "connected"
            elif event & _REFUSALS:
                self._connection = "refused"
            elif self._connection == "connected":
                self._connection = "waiting"

    def _take(self, frames: list[bytes]) -> None:
        payload = frames[-1]
        try:
            message, repeat = decode(payload), read_envelope(payload).repeat
        except WireError as error:
            self._unreadable += 1
            if self._unreadable == 1:
                log.warning("%s: %s (logged once)", self.address, error)
            return
        if message is None:
            return
        with self._changed:
            if self._connection == "closed" or not self._state.accept(message, repeat=repeat):
                return
            if len(self._queue) >= self._capacity:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(message)
            self._changed.notify_all()

    def _is_stale(self, message: Message) -> bool:
        """Only live estimates age: the times of a file that is read offline are its own."""
        if self._max_age_s is None or not isinstance(message, Estimate) or not message.latency_ms:
            return False
        return time.time_ns() - message.t_capture_ns > self._max_age_s * 1e9
