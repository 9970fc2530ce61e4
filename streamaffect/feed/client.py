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
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import zmq

from streamaffect.errors import FeedTimeoutError, WireError
from streamaffect.feed.keys import ClientKeys
from streamaffect.feed.state import FeedState
from streamaffect.feed.subscription import Subscription
from streamaffect.feed.wire import decode, read_envelope
from streamaffect.messages import Estimate, Health, Message, Meta, Voice

log = logging.getLogger(__name__)

Connection = Literal["waiting", "connected", "refused", "closed"]
POLL_MS = 100


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
        self.timeout_s = timeout_s
        self._capacity = capacity
        self._queue: deque[Message] = deque()
        self._state = FeedState()
        self._changed = threading.Condition()
        self._calls: set[Callable[[], None]] = set()
        self._connection: Connection = "waiting"
        self._dropped = self._stale = self._unreadable = 0
        self._context = zmq.Context()
        try:
            subscription = Subscription(self._context, address, stream=stream, keys=keys)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._thread = threading.Thread(target=self._run, args=(subscription,), name="subscriber", daemon=True)
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

    def __aiter__(self) -> AsyncIterator[Estimate]:
        """The same in a program of asyncio: `async for estimate in feed`."""
        from streamaffect.feed.asynchronous import estimates_of

        return estimates_of(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.close)

    def messages(self) -> Iterator[Message]:
        """Messages of every kind as they come, until the subscriber is closed. Raises FeedTimeoutError."""
        while True:
            message = self.receive(self.timeout_s)
            if message is not None:
                yield message
            elif self.connection == "closed":
                return
            else:
                raise self.silence()

    def amessages(self) -> AsyncIterator[Message]:
        """Messages of every kind in a program of asyncio, as `messages`."""
        from streamaffect.feed.asynchronous import messages_of

        return messages_of(self)

    @contextmanager
    def calling(self, call: Callable[[], None]) -> Iterator[None]:
        """In here, `call` is called in some thread when a message comes, or at the end; it must not wait."""
        with self._changed:
            self._calls.add(call)
        try:
            yield
        finally:
            with self._changed:
                self._calls.discard(call)

    def silence(self) -> FeedTimeoutError:
        """What a loop raises when nothing has come for `timeout_s`."""
        return FeedTimeoutError(
            f"{self.address}: nothing came for {self.timeout_s:g} s ({self.connection}); "
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

    def voice(self, stream: str | None = None) -> Voice | None:
        """What was heard last in a stream or in the first that is heard, whosever voice it is. Never waits."""
        with self._changed:
            return self._state.voice(stream)

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
            self._tell()
        self._thread.join()

    def _tell(self) -> None:
        self._changed.notify_all()
        for call in self._calls:
            call()

    def _run(self, feed: Subscription) -> None:
        poller = zmq.Poller()
        poller.register(feed.socket, zmq.POLLIN)
        poller.register(feed.monitor, zmq.POLLIN)
        while self._connection != "closed":
            ready = dict(poller.poll(POLL_MS))
            if feed.monitor in ready:
                feed.note()
                with self._changed:
                    if self.connection != "closed":
                        self._connection = feed.state
            if feed.socket in ready:
                self._take(feed.socket.recv_multipart())
            feed.look()
        feed.close()
        self._context.destroy(linger=0)

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
            self._tell()

    def _is_stale(self, message: Message) -> bool:
        """Only live estimates age: the times of a file that is read offline are its own."""
        if self._max_age_s is None or not isinstance(message, Estimate) or not message.latency_ms:
            return False
        return time.time_ns() - message.t_capture_ns > self._max_age_s * 1e9
