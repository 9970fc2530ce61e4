"""Keeping native libraries from writing across a terminal display."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Log what native code writes to file descriptor 2 at debug level, instead of letting it reach the terminal.

    TensorFlow Lite announces its CPU delegate while a model is being created and heeds no logging variable; later it
    is silent, so that the descriptor need only be turned away for that moment.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # there is no stderr to protect
        yield
        return
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            captured.seek(0)
            for line in captured.read().decode(errors="replace").splitlines():
                log.debug("%s", line)
