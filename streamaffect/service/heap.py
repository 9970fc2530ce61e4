"""The heap of a run that goes on for weeks: few pools of memory for its threads, where the C library is glibc.

Each connection to a camera has threads of its own, and glibc gives threads up to eight pools (arenas) a processor. A
pool keeps what was freed: after many reconnects, each holds as much as one connection needs (mallopt(3)).

What lies free between what is used is given back again and again (malloc_trim(3)): else memory grows by a step each
time that something large finds only small pieces free, and a busy hour leaves behind what it needed.

And pictures stay in the pools. What is as large as a picture goes back to the system as soon as it is freed, unless
glibc is told otherwise, and the next picture's memory is got anew, page by page: on a busy machine that takes as long
as decoding it.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import cast

MOST_ARENAS = 2
TIDIED_EVERY_S = 10.0  # for half a millisecond of one stream, some milliseconds of eight
KEPT_BYTES = 32 << 20  # a picture in 4K, 25 MB, and what is beside it; glibc allows no more
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
OWN_WISHES = ("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def share_heap() -> None:
    """Have all threads that start from here on share few pools, in which pictures stay, unless the environment says
    otherwise.
    """
    if not _is_ours():
        return
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, MOST_ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


@contextmanager
def tidied_heap(every_s: float = TIDIED_EVERY_S) -> Iterator[None]:
    """Give free memory back to the system now and then, in a thread of its own, unless the environment forbids it."""
    trim = _trimming()
    ended = threading.Event()
    if trim is not None:
        threading.Thread(target=_tidy, args=(trim, ended, every_s), name="heap", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _trimming() -> Callable[[int], int] | None:
    """The function of glibc's; None in another C library."""
    if not _is_ours():
        return None
    try:
        return cast(Callable[[int], int], ctypes.CDLL(None).malloc_trim)
    except (OSError, AttributeError):
        return None


def _tidy(trim: Callable[[int], int], ended: threading.Event, every_s: float) -> None:
    while not ended.wait(every_s):
        trim(0)


def _is_ours() -> bool:
    return sys.platform == "linux" and not any(name in os.environ for name in OWN_WISHES)
