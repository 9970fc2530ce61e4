"""Streams that come and go while a run goes on: asked for by any thread, done by the one that passes messages on.

Opening a camera takes long, and so may closing one: both happen in threads of their own, and no other stream waits.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TypeVar

from streamaffect.clock import monotonic_ns
from streamaffect.errors import ControlError
from streamaffect.pipeline.worker import Stream, Worker

TAKEN_IN_S = 5.0
GOES_WITHIN_S = 30.0
ENDING = "the run is about to end"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An opened stream that is to be taken in; `done` is set once it was."""

    stream: Stream
    done: threading.Event = field(default_factory=threading.Event)


class Changes:
    """Which streams are about to come or to go.

    used: names of the streams that the run has had; none is used twice, since numbers of tracks and estimates are not
    """

    def __init__(self, used: Iterable[str]) -> None:
        self._used = set(used)
        self._lock = threading.Lock()
        self._opened: list[Arrival] = []
        self._wanted: SimpleQueue[str] = SimpleQueue()
        self._left: SimpleQueue[str] = SimpleQueue()
        self._leaving: set[str] = set()
        self._gone: set[str] = set()
        self._closed = False

    def add(self, name: str, open_stream: Callable[[], Stream]) -> None:
        """Open a stream and wait until it was taken in. Raises ControlError, and what opening raises."""
        with self._lock:
            if self._closed:
                raise ControlError(ENDING)
            if name in self._used:
                raise ControlError(f"stream {name!r}: is or was one of this run; choose another name, NAME=SOURCE")
            self._used.add(name)
        try:
            stream = open_stream()
        except BaseException:
            with self._lock:
                self._used.discard(name)
            raise
        arrival = Arrival(stream)
        with self._lock:
            if not self._closed:
                self._opened.append(arrival)
        arrival.done.wait(0.0 if self._closed else TAKEN_IN_S)
        with self._lock:
            is_too_late = not arrival.done.is_set() and (self._closed or arrival in self._opened)
            self._opened = [one for one in self._opened if one is not arrival]
        if is_too_late:
            stream.close()
            raise ControlError(ENDING)

    def remove(self, name: str) -> None:
        """Ask for the end of a stream. Raises ControlError where somebody else has."""
        with self._lock:
            if name in self._leaving:
                raise ControlError(f"stream {name!r}: is being removed already")
            self._leaving.add(name)
        self._wanted.put(name)

    def opened(self) -> list[Arrival]:
        """Streams to be taken in, each once."""
        with self._lock:
            arrivals, self._opened = self._opened, []
        return arrivals

    def leaving(self) -> list[str]:
        """Streams whose end was asked for, each once."""
        return _all_of(self._wanted)

    def is_leaving(self, name: str) -> bool:
        """True from the asking on until its last words."""
        return name in self._leaving and name not in self._gone

    def is_gone(self, name: str) -> bool:
        """True once a removed stream has said its last words."""
        return name in self._gone

    def let_go(self, worker: Worker) -> None:
        """Wait for its threads where nobody else waits; then the stream can be forgotten."""
        name = worker.stream.name
        self._gone.add(name)

        def wait() -> None:
            worker.join(monotonic_ns() + round(GOES_WITHIN_S * 1e9))
            if not worker.is_alive:  # otherwise its place stays taken: native code may come back at any time
                self._left.put(name)

        threading.Thread(target=wait, name=f"remove-{name}", daemon=True).start()

    def left(self) -> list[str]:
        """Streams of which nothing runs any more, each once."""
        names = _all_of(self._left)
        with self._lock:
            self._leaving.difference_update(names)
            self._gone.difference_update(names)
        return names

    def close(self) -> None:
        """Take in nothing any more."""
        with self._lock:
            self._closed = True


def _all_of(queue: "SimpleQueue[T]") -> list[T]:
    found: list[T] = []
    while True:
        try:
            found.append(queue.get_nowait())
        except Empty:
            return found
