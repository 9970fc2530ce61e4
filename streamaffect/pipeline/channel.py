"""How things pass from one thread to another: bounded, closable, and never growing in live use."""

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - an end, not an error
    """The channel is closed and empty."""


class Channel(Generic[T]):
    """From one thread to another.

    newest_wins: a full channel drops its oldest item (live) instead of making the producer wait (offline)

    A producer that waits goes on when half of the channel is empty: threads that change with every item take as long to
    change as many an item takes.
    """

    def __init__(self, capacity: int, *, newest_wins: bool) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._newest_wins = newest_wins
        self._enough = capacity // 2
        self._closed = False
        lock = threading.Lock()
        self._filled, self._drained = threading.Condition(lock), threading.Condition(lock)

    def put(self, item: T) -> None:
        """Hand over an item; raises Closed where nobody takes it any more."""
        with self._filled:
            if not self._newest_wins and len(self._items) >= self._capacity:
                self._drained.wait_for(lambda: self._closed or len(self._items) <= self._enough)
            if self._closed:
                raise Closed
            while len(self._items) >= self._capacity:
                self._items.popleft()
            self._items.append(item)
            self._filled.notify_all()

    def swap(self, item: T) -> T | None:
        """Put an item in the place of the newest one that waits, and return that; None where none waits."""
        with self._filled:
            if not self._items or self._closed:
                return None
            waiting, self._items[-1] = self._items[-1], item
            return waiting

    def wait(self) -> None:
        """Wait until there is an item, and leave it there; raises Closed at the end."""
        with self._filled:
            self._wait(None)

    def get(self) -> T:
        """Wait for the next item; raises Closed at the end."""
        with self._filled:
            self._wait(None)
            return self._pop()

    def poll(self, timeout_s: float) -> T | None:
        """The next item, None where there is none in time; raises Closed at the end."""
        with self._filled:
            return self._pop() if self._wait(timeout_s) else None

    def close(self) -> None:
        """Take no further items; those inside can still be got."""
        with self._filled:
            self._closed = True
            self._filled.notify_all()
            self._drained.notify_all()

    def _wait(self, timeout_s: float | None) -> bool:
        if not self._items:
            self._filled.wait_for(lambda: self._closed or len(self._items) > 0, timeout_s)
        if self._closed and not self._items:
            raise Closed
        return len(self._items) > 0

    def _pop(self) -> T:
        item = self._items.popleft()
        if len(self._items) == self._enough:
            self._drained.notify_all()
        return item
