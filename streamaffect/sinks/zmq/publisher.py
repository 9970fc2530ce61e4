"""The ZeroMQ publisher: one XPUB socket for all streams of the process.

XPUB tells who subscribes to what, so that late joiners at once get the last message of each topic they asked for.
ZeroMQ cannot address one subscriber: everybody on that topic gets the copy, which is marked `"repeat": true`, and drops
it where the topic is not new.
"""

import errno
import logging
import socket as unix
from pathlib import Path
from types import MappingProxyType
from typing import Final

import zmq
from zmq.auth.thread import ThreadAuthenticator

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import WireError
from streamaffect.feed.address import Address, check_protection
from streamaffect.feed.keys import check_curve, load_allowed, load_pair
from streamaffect.feed.wire import as_repeat, encode, topic_of, topic_prefix
from streamaffect.settings import DEFAULT_ADDRESS, FeedSettings
from streamaffect.sinks.publishing import Latencies, published
from streamaffect.types import Event, LatencySummary, Message

log = logging.getLogger(__name__)

LINGER_MS = 200
_SUBSCRIBE = 1
_REASONS: Final = MappingProxyType(
    {
        errno.EADDRINUSE: "the address is in use; stop the other publisher, or choose another one: "
        "--bind tcp://127.0.0.1:5557, or port 0 for any free one",
        errno.EADDRNOTAVAIL: f"this machine has no such address; use one of its own, for instance {DEFAULT_ADDRESS}",
        errno.ENODEV: f"this machine has no such address or network interface; use, for instance, {DEFAULT_ADDRESS}",
        errno.EACCES: "no permission; use a port above 1023, or a folder that can be written",
        errno.ENOENT: "the folder of the socket does not exist; create it first",
    }
)


class ZmqPublisher:
    """A sink that publishes `[topic, payload]`. Construction binds the address, so that errors come before the run.

    Raises WireError where the address is malformed, in use or unprotected, or where a key is missing.
    """

    name: Final = "zmq"
    idle_s: Final = 0.05

    def __init__(self, settings: FeedSettings) -> None:
        address = check_protection(settings)
        self._clock = Clock.now()
        self._latencies = Latencies()
        self._last: dict[bytes, bytes] = {}
        self._overflows = 0
        self._context = zmq.Context()
        self._authenticator: ThreadAuthenticator | None = None
        self._socket = self._context.socket(zmq.XPUB)
        try:
            self._configure(settings, address)
            _bind(self._socket, address)
        except BaseException:
            self.close()
            raise
        self.address = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))

    def latency(self, stream: str) -> LatencySummary | None:
        """From the capture to the sending of the stream's estimates, lately; callable from any thread."""
        return self._latencies.summary(stream)

    def send(self, message: Message) -> None:
        """Publish a message; a live estimate gets its time of publishing now. Never waits for a subscriber."""
        self.idle()
        message = published(message, self._clock.utc(monotonic_ns()))
        topic, payload = topic_of(message), encode(message)
        self._remember(message, topic, payload)
        self._publish(topic, payload)
        self._latencies.note(message)

    def idle(self) -> None:
        """Give new subscribers the last message of every topic they have subscribed to."""
        prefixes = self._new_subscriptions()
        if not prefixes:
            return
        for topic, payload in sorted(self._last.items(), key=lambda item: _rank(item[0])):
            if topic.startswith(prefixes):
                self._publish(topic, as_repeat(payload))

    def close(self) -> None:
        """Send what is on its way, for at most 0.2 s, and free the address."""
        if self._overflows:
            log.info("%s: the queue of a slow subscriber was full at %d messages", self.name, self._overflows)
        self._socket.close(linger=LINGER_MS)
        if self._authenticator is not None:
            self._authenticator.stop()
        self._context.term()

    def _configure(self, settings: FeedSettings, address: Address) -> None:
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # also tells of a topic that somebody else has subscribed to
        self._socket.setsockopt(zmq.XPUB_NODROP, 1)  # reports a full queue, see _publish
        self._socket.setsockopt(zmq.SNDHWM, settings.high_water_mark)
        self._socket.setsockopt(zmq.IPV6, int(address.is_ipv6))
        if not settings.server_key:
            return
        check_curve()
        pair, allowed = load_pair(Path(settings.server_key)), load_allowed(Path(settings.allowed_clients))
        self._authenticator = ThreadAuthenticator(self._context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(domain="*", credentials_provider=allowed)
        self._socket.curve_publickey, self._socket.curve_secretkey = pair.public, pair.secret
        self._socket.curve_server = True

    def _new_subscriptions(self) -> tuple[bytes, ...]:
        prefixes: list[bytes] = []
        while True:
            try:
                request = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return tuple(prefixes)
            if request[:1] == bytes([_SUBSCRIBE]):
                prefixes.append(request[1:])

    def _remember(self, message: Message, topic: bytes, payload: bytes) -> None:
        """Keep the last message of each topic that still has a meaning; events are over once they have been sent."""
        if isinstance(message, Event):
            if message.event == "track_lost" and message.track is not None:
                self._last.pop(topic_prefix("affect", message.stream) + b"%d/" % message.track, None)
            elif message.event in {"source_lost", "source_ended"}:
                self._forget_tracks(topic_prefix("affect", message.stream))
            return
        self._last.pop(topic, None)  # so that the newest stands last
        self._last[topic] = payload

    def _forget_tracks(self, prefix: bytes) -> None:
        for topic in [topic for topic in self._last if topic.startswith(prefix)]:
            del self._last[topic]

    def _publish(self, topic: bytes, payload: bytes) -> None:
        """Send to all; where a subscriber's queue is full, to all the others."""
        try:
            self._socket.send_multipart((topic, payload), zmq.NOBLOCK)
        except zmq.Again:
            self._overflows += 1
            self._socket.setsockopt(zmq.XPUB_NODROP, 0)
            self._socket.send_multipart((topic, payload), zmq.NOBLOCK)
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)


def _rank(topic: bytes) -> int:
    """Meta first, since it says how to read the others; sorting keeps the order of sending within a kind."""
    return (b"meta", b"health", b"affect").index(topic.partition(b"/")[0])


def _bind(socket: "zmq.Socket[bytes]", address: Address) -> None:
    if address.transport == "ipc" and _somebody_listens(address.path):
        raise WireError(f"{address.text}: {_REASONS[errno.EADDRINUSE]}")
    try:
        socket.bind(address.text)
    except zmq.ZMQError as error:
        raise WireError(f"{address.text}: {_REASONS.get(error.errno or 0, error.strerror)}") from error


def _somebody_listens(path: str) -> bool:
    """True where an ipc socket is in use: ZeroMQ itself would take it over without a word."""
    with unix.socket(unix.AF_UNIX, unix.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
