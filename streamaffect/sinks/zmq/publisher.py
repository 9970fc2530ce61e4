"""The ZeroMQ publisher: one XPUB socket for all streams of the process.

XPUB tells who subscribes to what, so that late joiners get the last message of each topic they asked for.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

import zmq

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.feed.address import Address, check_protection
from streamaffect.feed.alive import ALIVE
from streamaffect.feed.wire import as_repeat, encode, topic_of
from streamaffect.messages import LatencySummary, Message
from streamaffect.settings import FeedSettings
from streamaffect.sinks.publishing import Distribution, Latencies, published
from streamaffect.sinks.zmq.admission import Admission
from streamaffect.sinks.zmq.allowances import Allowances
from streamaffect.sinks.zmq.binding import bind
from streamaffect.sinks.zmq.last_messages import LastMessages
from streamaffect.sinks.zmq.peers import Peers

log = logging.getLogger(__name__)

LINGER_MS = 200
MAX_REQUEST_BYTES = 1024  # a subscription, or a part of a handshake; a longer one ends its connection
HANDSHAKE_MS = 5_000
REQUESTS_WAITING = 4  # of one peer: what it sends in a flood waits on its own side, and not in our memory
REQUESTS_AT_ONCE = 256
LOOK_PERIOD_S = 0.01
_SUBSCRIBE = b"\x01"


class ZmqPublisher:
    """A sink that publishes `[topic, payload]`. Construction binds the address, so that errors come before the run.

    subscribers: so many are connected and have subscribed to something, as of a moment ago
    Raises WireError where the address is malformed, in use or unprotected, or where a key is missing.
    """

    name: Final = "zmq"
    idle_s: Final = 0.05

    def __init__(self, settings: FeedSettings) -> None:
        address = check_protection(settings)
        self._clock = Clock.now()
        self._latencies = Latencies()
        self._last = LastMessages()
        self._looked_s = 0.0
        self._overflows = 0
        self._open = ExitStack()
        context = zmq.Context()
        self._open.callback(context.term)
        try:
            self._socket = context.socket(zmq.XPUB)
            self._open.callback(self._socket.close, LINGER_MS)
            allowances = Allowances()
            self._peers = Peers(self._socket, allowances, most=settings.max_subscribers)
            self._open.callback(self._peers.close)
            self._configure(settings, address)
            self._admission = Admission(self._socket, settings, allowances)
            # Last in, first out, and so before the socket: whoever is let in at this moment gets nothing any more.
            self._open.callback(self._admission.close)
            self._file = bind(self._socket, address)
        except BaseException:
            self._open.close()
            raise
        self.subscribers = 0
        self.address = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))

    def latency(self, stream: str) -> LatencySummary | None:
        """From the capture to the sending of the stream's estimates, lately; callable from any thread."""
        return self._latencies.summary(stream)

    def latencies(self) -> Mapping[str, Distribution]:
        """The same since the start, of all streams; callable from any thread."""
        return self._latencies.distributions()

    def send(self, message: Message) -> None:
        """Publish a message; a live estimate gets its time of publishing now. Never waits for a subscriber."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_PERIOD_S:
            self._look(now_s)
        message = published(message, self._clock.utc(monotonic_ns()))
        topic, payload = topic_of(message), encode(message)
        self._last.sent(message, topic, payload)
        self._repeat(now_s)
        self._publish(topic, payload)
        self._latencies.note(message)

    def relay(self, message: Message, payload: bytes, *, repeat: bool) -> None:
        """Publish what another feed has published, byte for byte; `payload` is without a mark of repetition."""
        topic = topic_of(message)
        self._last.sent(message, topic, payload)
        self._publish(topic, as_repeat(payload) if repeat else payload)

    def forget(self, stream: str) -> None:
        """Give late subscribers nothing of a stream that has gone."""
        self._last.forget_stream(stream)

    def idle(self) -> None:
        """Give new subscribers the last message of every topic they have subscribed to."""
        now_s = time.monotonic()
        self._look(now_s)
        self._repeat(now_s)

    def close(self) -> None:
        """Send what is on its way, for at most 0.2 s, and free the address."""
        if self._overflows:
            log.info("%s: the queue of a slow subscriber was full at %d messages", self.name, self._overflows)
        self._open.close()
        if self._file is not None:
            self._file.remove()

    def _configure(self, settings: FeedSettings, address: Address) -> None:
        options = {
            zmq.XPUB_VERBOSE: 1,  # also tells of a topic that somebody else has subscribed to
            zmq.XPUB_NODROP: 1,  # reports a full queue, see _publish
            zmq.SNDHWM: settings.high_water_mark,
            zmq.RCVHWM: REQUESTS_WAITING,
            zmq.MAXMSGSIZE: MAX_REQUEST_BYTES,
            zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
            **ALIVE,
            zmq.IPV6: int(address.is_ipv6),
        }
        for option, value in options.items():
            self._socket.setsockopt(option, value)

    def _look(self, now_s: float) -> None:
        """See who has connected, and who has subscribed to what."""
        self._looked_s = now_s
        self._peers.look()
        self.subscribers = self._peers.subscribers
        self._admission.watch()
        prefixes = []
        for _ in range(REQUESTS_AT_ONCE):
            try:
                request = self._socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            if (prefix := self._subscription(request)) is not None:
                prefixes.append(prefix)
        if prefixes:
            self._last.subscribed(tuple(prefixes), now_s)

    def _subscription(self, request: zmq.Frame) -> bytes | None:
        """The prefix that somebody has subscribed to, who may; None for anything else."""
        content = request.bytes
        if content[:1] != _SUBSCRIBE:
            return None
        try:
            descriptor = int(request.get(zmq.SRCFD))
        except zmq.ZMQError:  # it was sent by nobody
            return None
        return content[1:] if self._peers.may_subscribe(descriptor, len(content)) else None

    def _repeat(self, now_s: float) -> None:
        for topic, payload in self._last.due(now_s):
            self._publish(topic, payload)

    def _publish(self, topic: bytes, payload: bytes) -> None:
        """Send to all; where a subscriber's queue is full, to all the others."""
        try:
            self._socket.send_multipart((topic, payload), zmq.NOBLOCK)
        except zmq.Again:
            self._overflows += 1
            self._socket.setsockopt(zmq.XPUB_NODROP, 0)
            self._socket.send_multipart((topic, payload), zmq.NOBLOCK)
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)
