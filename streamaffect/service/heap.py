"""The heap of a run that goes on for weeks: few pools of memory for its threads, where the C library is glibc.

Each connection to a camera has threads of its own, and glibc gives threads up to eight pools (arenas) a processor. A
pool keeps what was freed: after many reconnects, each holds as much as one connection needs (mallopt(3)).

And pictures stay in the pools. What is as large as a picture goes back to the system as soon as it is freed, unless
glibc is told otherwise, and the next picture's memory is got anew, page by page: on a busy machine that takes as long
as decoding it.
"""

import ctypes
import os
import sys
from contextlib import suppress

MOST_ARENAS = 2
KEPT_BYTES = 32 << 20  # a picture in 4K, 25 MB, and what is beside it; glibc allows no more
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
OWN_WISHES = ("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def share_heap() -> None:
    """Have all threads that start from here on share few pools, in which pictures stay, unless the environment says
    otherwise.
    """
    if sys.platform != "linux" or any(name in os.environ for name in OWN_WISHES):
        return
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, MOST_ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
