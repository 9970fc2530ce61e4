"""Keeping native libraries from writing across a terminal display."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

MOST_BYTES = 65536


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Log what native code writes to file descriptor 2 at debug level, instead of letting it reach the terminal.

    TensorFlow Lite announces its CPU delegate while a model is being created and heeds no logging variable; later it
    is silent, so that the descriptor need only be turned away for that moment. It leads into a pipe, since there may be
    no place to write a file; what a pipe cannot hold is lost.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # there is no stderr to protect
        yield
        return
    try:
        reading, writing = os.pipe()
    except OSError:  # no descriptor is left for it
        os.close(terminal)
        yield
        return
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        for line in _read(reading).decode(errors="replace").splitlines():
            log.debug("%s", line)


def _read(pipe: int) -> bytes:
    """What lies in the pipe, which is closed."""
    try:
        return os.read(pipe, MOST_BYTES)
    except BlockingIOError:
        return b""
    finally:
        os.close(pipe)
