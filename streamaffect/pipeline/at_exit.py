"""What must be closed before the interpreter ends: pipelines that nobody has run to their end, and loaded detectors.

Threads in native code that outlive the interpreter end the process with an abort. `atexit` comes too late: MediaPipe
works and closes on a thread pool, and pools take nothing any more by then. The threads' own hook comes before.
"""

import concurrent.futures.thread  # registers its hook first, so that ours, called in reverse order, comes before it
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Final, Protocol
from weakref import WeakSet

_POOLS: Final = concurrent.futures.thread


class Closable(Protocol):
    """What can be closed from the thread that ends the interpreter, more than once."""

    def close(self) -> None:
        """Let go of threads and native parts."""
        ...


class _Open:
    """What is open in this process. Nothing is kept alive by standing here."""

    def __init__(self) -> None:
        self._things: WeakSet[Closable] = WeakSet()
        register: Callable[[Callable[[], None]], None] = threading._register_atexit  # type: ignore[attr-defined]
        register(self._close_all)

    def add(self, thing: Closable) -> None:
        self._things.add(thing)

    def _close_all(self) -> None:
        for thing in list(self._things):
            thing.close()


@cache
def _open_in(process: int) -> _Open:  # noqa: ARG001 - a forked child has threads of its own, and none of its parent's
    return _Open()


def close_at_exit(thing: Closable) -> None:
    """Have it closed before the interpreter ends, if it is still alive then."""
    _open_in(os.getpid()).add(thing)
