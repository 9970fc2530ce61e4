"""How what was found in frames gets from the threads of many streams to the one that estimates; offline.

`streamaffect.pipeline.turns` is the exchange of live streams.
"""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from streamaffect.pipeline.channel import Closed

T = TypeVar("T")


class Exchange(Protocol[T]):
    """From one thread per stream, which looks at its frames, to the one thread that estimates for all."""

    def enter(self, stream: str) -> None:
        """Wait until this stream may look at its next frame; raises Closed where none will come."""
        ...

    def put(self, stream: str, item: T) -> None:
        """Hand over what was found in the frame; raises Closed where nobody takes it any more."""
        ...

    def give_up(self, stream: str) -> None:
        """The stream that has entered will hand over nothing."""
        ...

    def take(self, timeout_s: float) -> list[tuple[str, T]]:
        """What is to be estimated next, at most one item of each stream; empty after the timeout.

        Raises Closed once all streams have ended.
        """
        ...

    def done(self, streams: Iterable[str]) -> None:
        """What was taken of these has been estimated."""
        ...

    def close(self, stream: str) -> None:
        """Say that this stream has no further items. Those inside can still be taken."""
        ...

    def has_ended(self, stream: str) -> bool:
        """True once the stream is closed and all its items have been taken and estimated."""
        ...


class Mailbox(Generic[T]):
    """The exchange of files that are read offline: nothing is lost, and the order never depends on the load.

    Each stream may have `capacity` items waiting; its producer waits beyond that, until half of them are taken: threads
    that change with every item take long to change. Items are taken strictly in turn.
    """

    def __init__(self, streams: Sequence[str], capacity: int) -> None:
        self._queues: dict[str, deque[T]] = {stream: deque() for stream in streams}
        self._open = dict.fromkeys(streams, True)
        self._order = deque(streams)
        self._capacity, self._enough = capacity, capacity // 2
        lock = threading.Lock()
        self._filled, self._drained = threading.Condition(lock), threading.Condition(lock)

    def enter(self, stream: str) -> None:
        """Any stream may look at its next frame at any time."""

    def put(self, stream: str, item: T) -> None:
        """Hand over an item; raises Closed where nobody takes it any more."""
        queue = self._queues[stream]
        with self._filled:
            if len(queue) >= self._capacity:
                self._drained.wait_for(lambda: not self._open[stream] or len(queue) <= self._enough)
            if not self._open[stream]:
                raise Closed
            queue.append(item)
            self._filled.notify_all()

    def give_up(self, stream: str) -> None:
        """Nothing waits for the item of a stream that will hand over none."""

    def take(self, timeout_s: float) -> list[tuple[str, T]]:
        """The next item of the stream whose turn it is, strictly round robin.

        Empty after the timeout; raises Closed when all have ended.
        """
        taken: list[tuple[str, T]] = []

        def is_done() -> bool:
            taken.extend(self._pop_turn())  # under the lock, where an item that is seen cannot be lost
            return bool(taken) or self._all_ended()

        with self._filled:
            self._filled.wait_for(is_done, timeout_s)
            if not taken and self._all_ended():
                raise Closed
            if any(len(self._queues[stream]) == self._enough for stream, _ in taken):
                self._drained.notify_all()
        return taken

    def done(self, streams: Iterable[str]) -> None:
        """Nobody waits for an estimate."""

    def close(self, stream: str) -> None:
        """Say that this stream has no further items."""
        with self._filled:
            self._open[stream] = False
            self._filled.notify_all()
            self._drained.notify_all()

    def has_ended(self, stream: str) -> bool:
        """True once the stream is closed and all its items are taken."""
        with self._filled:
            return not self._open[stream] and not self._queues[stream]

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
