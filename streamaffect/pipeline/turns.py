"""Live streams taking turns at the processor: each has one frame on its way, and its newest one waits in one place.

A stream whose frame has been estimated queues for a seat; who has waited longest is next. It takes its newest frame
when it is seated, and not before. The seat is free again when the frame's faces go on to the engine. So no frame waits
behind another of its stream, no stream gets more than its share, and hardly more pictures are being looked at than
there are processors, however many streams there are.
"""

import os
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from streamaffect.pipeline.channel import Closed

T = TypeVar("T")

# Fewer leave processors idle while threads wake each other, and the engine works on one face at a time; each more makes
# all of them wait longer, and nothing faster.
SEATS_BESIDE = 2


class _At(Enum):
    """Where a stream's frame is."""

    HOME = 0  # there is none on its way
    QUEUE = 1
    SEAT = 2
    TRAY = 3  # waits for the engine
    ENGINE = 4


@dataclass(slots=True)
class _Place(Generic[T]):
    turn: threading.Condition
    at: _At = _At.HOME
    closed: bool = False
    item: list[T] = field(default_factory=list)


class Turns(Generic[T]):
    """From the threads that look at the frames of live streams to the one that estimates.

    seats: so many streams look at a frame, or wait for the engine with it, at once
    """

    def __init__(self, streams: Sequence[str], seats: int | None = None) -> None:
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._places: dict[str, _Place[T]] = {stream: _Place(threading.Condition(self._lock)) for stream in streams}
        self._queue: deque[str] = deque()
        self._free = seats or processors() + SEATS_BESIDE

    def join(self, stream: str) -> None:
        """A stream more, from now on."""
        with self._lock:
            self._places[stream] = _Place(threading.Condition(self._lock))

    def leave(self, stream: str) -> None:
        """Forget a stream that has ended, and whose threads have too."""
        with self._lock:
            del self._places[stream]

    def enter(self, stream: str) -> None:
        """Wait until it is this stream's turn to look at a frame; raises Closed where none will come."""
        place = self._places[stream]
        with self._lock:
            self._wait(place, _At.HOME)
            place.at = _At.QUEUE
            self._queue.append(stream)
            self._seat_next()
            self._wait(place, _At.SEAT)

    def put(self, stream: str, item: T) -> None:
        """Hand over what was found in the frame; raises Closed where nobody takes it any more."""
        place = self._places[stream]
        with self._lock:
            if place.closed:
                self._leave(place)
                raise Closed
            place.at, place.item = _At.TRAY, [item]
            self._filled.notify()

    def give_up(self, stream: str) -> None:
        """The seated stream will hand over nothing: its seat is free, and it may queue again."""
        with self._lock:
            self._leave(self._places[stream])

    def take(self, timeout_s: float) -> list[tuple[str, T]]:
        """What was handed over, at most one item of each stream; empty after the timeout.

        Raises Closed once all streams have ended.
        """
        with self._lock:
            self._filled.wait_for(lambda: self._in_trays() or self._all_ended(), timeout_s)
            taken = [(stream, self._places[stream]) for stream in self._in_trays()]
            if not taken and self._all_ended():
                raise Closed
            batch = [(stream, place.item.pop()) for stream, place in taken]
            for _, place in taken:
                place.at = _At.ENGINE
            self._free += len(taken)
            self._seat_next()
            return batch

    def done(self, streams: Iterable[str]) -> None:
        """What was taken of these has been estimated: they may enter again."""
        with self._lock:
            for stream in streams:
                place = self._places[stream]
                if place.at is _At.ENGINE:
                    place.at = _At.HOME
                    place.turn.notify()

    def close(self, stream: str) -> None:
        """Say that this stream has no further frames. What it has handed over can still be taken."""
        with self._lock:
            place = self._places[stream]
            place.closed = True
            place.turn.notify()
            self._filled.notify()

    def has_ended(self, stream: str) -> bool:
        """True once the stream is closed and nothing of it is on its way."""
        with self._lock:
            place = self._places[stream]
            return place.closed and place.at not in (_At.TRAY, _At.ENGINE)

    def _wait(self, place: _Place[T], at: _At) -> None:
        """Wait until the stream's frame is there; raises Closed where it does not come any more."""
        place.turn.wait_for(lambda: place.closed or place.at is at)
        if place.closed:
            self._leave(place)
            raise Closed

    def _seat_next(self) -> None:
        while self._queue and self._free:
            place = self._places[self._queue.popleft()]
            if place.at is _At.QUEUE:
                place.at = _At.SEAT
                self._free -= 1
                place.turn.notify()

    def _leave(self, place: _Place[T]) -> None:
        had_seat = place.at is _At.SEAT
        place.at = _At.HOME
        place.turn.notify()
        if had_seat:
            self._free += 1
            self._seat_next()

    def _in_trays(self) -> list[str]:
        return [stream for stream, place in self._places.items() if place.at is _At.TRAY]

    def _all_ended(self) -> bool:
        return all(place.closed and place.at is not _At.TRAY for place in self._places.values())


def processors() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
