"""How frames and sightings pass between threads: bounded, closable, and never growing in live use."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - an end, not an error
    """The channel is closed and empty."""


class Channel(Generic[T]):
    """From one thread to another.

    newest_wins: a full channel drops its oldest item (live) instead of making the producer wait (offline)
    """

    def __init__(self, capacity: int, *, newest_wins: bool) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._newest_wins = newest_wins
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Hand over an item; raises Closed where nobody takes it any more."""
        with self._changed:
            if not self._newest_wins:
                self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            if self._closed:
                raise Closed
            while len(self._items) >= self._capacity:
                self._items.popleft()
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> T:
        """Wait for the next item; raises Closed at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) > 0)
            if not self._items:
                raise Closed
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Take no further items; those inside can still be got."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Mailbox(Generic[T]):
    """From one thread per stream to the one thread that serves them all.

    Each stream may have `capacity` items waiting; its producer waits beyond that.
    """

    def __init__(self, streams: list[str], capacity: int) -> None:
        self._queues: dict[str, deque[T]] = {stream: deque() for stream in streams}
        self._open = dict.fromkeys(streams, True)
        self._order = deque(streams)
        self._capacity = capacity
        self._changed = threading.Condition()

    def put(self, stream: str, item: T) -> None:
        """Hand over an item; raises Closed where nobody takes it any more."""
        queue = self._queues[stream]
        with self._changed:
            self._changed.wait_for(lambda: not self._open[stream] or len(queue) < self._capacity)
            if not self._open[stream]:
                raise Closed
            queue.append(item)
            self._changed.notify_all()

    def close(self, stream: str) -> None:
        """Say that this stream has no further items."""
        with self._changed:
            self._open[stream] = False
            self._changed.notify_all()

    def has_ended(self, stream: str) -> bool:
        """True once the stream is closed and all its items are taken."""
        with self._changed:
            return not self._open[stream] and not self._queues[stream]

    def take_ready(self, timeout_s: float) -> list[tuple[str, T]]:
        """The oldest item of each stream that has one; empty after the timeout; raises Closed when all have ended."""
        return self._take(timeout_s, self._pop_ready)

    def take_turn(self, timeout_s: float) -> list[tuple[str, T]]:
        """The next item of the stream whose turn it is, strictly round robin, so that the order never depends on load.

        Empty after the timeout; raises Closed when all have ended.
        """
        return self._take(timeout_s, self._pop_turn)

    def _take(self, timeout_s: float, pop: Callable[[], list[tuple[str, T]]]) -> list[tuple[str, T]]:
        taken: list[tuple[str, T]] = []

        def is_done() -> bool:
            taken.extend(pop())  # under the lock, where an item that is seen cannot be lost
            return bool(taken) or self._all_ended()

        with self._changed:
            self._changed.wait_for(is_done, timeout_s)
            if not taken and self._all_ended():
                raise Closed
            self._changed.notify_all()
        return taken

    def _pop_ready(self) -> list[tuple[str, T]]:
        return [(stream, queue.popleft()) for stream, queue in self._queues.items() if queue]

    def _pop_turn(self) -> list[tuple[str, T]]:
        for _ in range(len(self._order)):
            stream = self._order[0]
            if self._queues[stream]:
                self._order.rotate(-1)
                return [(stream, self._queues[stream].popleft())]
            if self._open[stream]:
                return []
            self._order.rotate(-1)
        return []

    def _all_ended(self) -> bool:
        return not any(self._open.values()) and not any(self._queues.values())
