"""Calls in threads of their own, for what passes between threads; tests import the fixture `threads` from here."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

R = TypeVar("R")

SOON_S = 10.0  # for what happens at once
NEVER_S = 0.05  # for what must not happen


class Threads:
    """Runs calls in threads of their own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(8)

    def start(self, call: Callable[[], R]) -> "Future[R]":
        return self._pool.submit(call)

    def close(self) -> None:
        self._pool.shutdown(wait=True)


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.close()


def is_waiting(call: "Future[R]") -> bool:
    with pytest.raises(TimeoutError):
        call.result(NEVER_S)
    return True
