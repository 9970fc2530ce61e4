"""The heap of a run that goes on for weeks: few pools of memory for its threads, where the C library is glibc.

Each connection to a camera has threads of its own, and glibc gives threads up to eight pools (arenas) a processor. A
pool keeps what was freed: after many reconnects, each holds as much as one connection needs (mallopt(3)).
"""

import ctypes
import os
import sys
from contextlib import suppress

MOST_ARENAS = 2
_M_ARENA_MAX = -8
OWN_WISHES = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")


def share_heap() -> None:
    """Have all threads that start from here on share few pools, unless the environment says otherwise."""
    if sys.platform != "linux" or any(name in os.environ for name in OWN_WISHES):
        return
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, MOST_ARENAS)
