"""Ctrl-Z: the terminal is given back before the process stops, and taken again when it goes on."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from streamaffect.sinks.display.sink import Dashboard


@contextmanager
def suspends_in_order(screen: Dashboard) -> Iterator[None]:
    """In the main thread. What stops the process without asking, SIGSTOP, is repaired when it goes on."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        screen.suspend()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, stop)
        screen.resume()  # where nobody controls the job, it was not stopped at all

    def go_on(_number: int, _frame: FrameType | None) -> None:
        screen.resume()

    before = {signal.SIGTSTP: signal.signal(signal.SIGTSTP, stop), signal.SIGCONT: signal.signal(signal.SIGCONT, go_on)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
