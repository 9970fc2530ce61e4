"""Real feeds for tests: a publisher on a free loopback port behind its sink thread."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from streamaffect.feed.client import Subscriber
from streamaffect.messages import Estimate, Message
from streamaffect.settings import FeedSettings
from streamaffect.sinks.thread import SinkThread
from streamaffect.sinks.zmq.proxy import Proxy
from streamaffect.sinks.zmq.publisher import ZmqPublisher

ANY_PORT = "tcp://127.0.0.1:0"
WAIT_S = 20.0
GENEROUS_S = 10.0  # for an end: two seconds are promised, and the machine may be busy


class Feed:
    """A publisher in its own thread.

    said:    what it has published before anybody can subscribe
    address: the one that was really bound
    """

    def __init__(self, settings: FeedSettings, *, said: Iterable[Message] = ()) -> None:
        self.publisher = ZmqPublisher(settings)
        self.address = self.publisher.address
        for message in said:
            self.publisher.send(message)
        self._thread = SinkThread(self.publisher, capacity=10_000, policy="wait")

    def put(self, *messages: Message) -> None:
        """Publish messages, in order."""
        for message in messages:
            self._thread.put(message)

    def close(self) -> None:
        """Send what is queued and free the address."""
        assert self._thread.close(WAIT_S)
        assert self._thread.failures == 0


@contextmanager
def publishing(
    bind: str = ANY_PORT, *, server_key: str = "", allowed_clients: str = "", said: Iterable[Message] = ()
) -> Iterator[Feed]:
    """A feed for the length of a with block."""
    feed = Feed(FeedSettings(bind=bind, server_key=server_key, allowed_clients=allowed_clients), said=said)
    try:
        yield feed
    finally:
        feed.close()


def received(subscriber: Subscriber, count: int) -> list[Message]:
    """The next messages of a subscriber; fails when they do not come."""
    messages: list[Message] = []
    for _ in range(count):
        message = subscriber.receive(WAIT_S)
        assert message is not None, f"{len(messages)} of {count} messages came"
        messages.append(message)
    return messages


def seqs(messages: list[Message]) -> list[int]:
    """The numbers of the estimates among messages."""
    return [message.seq for message in messages if isinstance(message, Estimate)]


@contextmanager
def joining(
    *feeds: Feed,
    settings: FeedSettings | None = None,
    keys: Mapping[str, Path] | None = None,
    watch: Callable[[str, Message], None] | None = None,
) -> Iterator[Proxy]:
    """A running proxy of these feeds, on a free port unless the settings say otherwise."""
    addresses = [feed.address for feed in feeds]
    proxy = Proxy(addresses, settings or FeedSettings(bind=ANY_PORT), keys=keys or {}, watch=watch)
    thread = threading.Thread(target=proxy.run)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(WAIT_S)
        proxy.close()
