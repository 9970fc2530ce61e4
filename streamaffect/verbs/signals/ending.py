"""How a run ends: in order after SIGINT, SIGTERM or SIGHUP, and within two seconds whatever hangs; a fleet has longer.

Python runs a signal's handler in the main thread, once that is out of native code. So a thread of its own hears of
signals too, through a pipe that the system writes to, and ends the process where nothing else does any more. A native
call that holds the interpreter's lock stops that thread as well; a process of its own ends ours then.
"""

import ctypes
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn

from streamaffect.outlet import last_words
from streamaffect.verbs.signals.last_resort import LastResort, last_resort
from streamaffect.verbs.signals.terminal import has_terminal

WITHIN_S: Final = 1.8  # of two seconds
LATER_S: Final = 0.1  # by force
AGAIN_S: Final = 0.9  # after which whoever still starts is interrupted once more
LOOK_S: Final = 0.05
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """What signals ask of a run.

    is_asked_for: True from the first signal on
    on_hangup:    what SIGHUP asks for instead, in the thread that hears of signals; None where it asks for an end
    """

    def __init__(self, on_hangup: Callable[[], None] | None = None) -> None:
        self.is_asked_for = False
        self.on_hangup = on_hangup
        self._had_terminal = has_terminal()
        self._stop: Callable[[], None] | None = None
        self._is_dropped = False
        self._interrupted_s = 0.0

    def is_meant(self, number: int) -> bool:
        """True for a signal that asks for an end; SIGHUP always does when the terminal of the run was closed."""
        if number == signal.SIGHUP and self.on_hangup is not None:
            return self._had_terminal and not has_terminal()
        return number in SIGNALS

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """The handler in the main thread. While a run starts, it is interrupted; once it runs, it is stopped.

        An interruption in the midst of a callback is dropped by Python, and made up for by `interrupt_again`.
        """
        if not self.is_meant(number):
            return
        self.is_asked_for = True
        if self._stop is None:
            raise KeyboardInterrupt
        self._stop()

    def dropped(self) -> None:
        """Python has dropped the interruption."""
        self._is_dropped = True

    def interrupt_again(self, after_s: float) -> None:
        """From another thread: interrupt the main one once more, if it still starts though it was asked to end.

        after_s: seconds since it was asked. Native code may drop an interruption without a word; half of the time is
                 left for an end that is under way.
        """
        if self._stop is None and (self._is_dropped or after_s > AGAIN_S >= self._interrupted_s):
            self._is_dropped, self._interrupted_s = False, after_s
            main = ctypes.c_ulong(threading.main_thread().ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(main, ctypes.py_object(KeyboardInterrupt))

    def ask(self) -> None:
        """The same from another thread, where the main one may be stuck."""
        self.is_asked_for = True
        if self._stop is not None:
            self._stop()

    def start(self, stop: Callable[[], None]) -> None:
        """From here on a signal calls `stop` instead of interrupting; callable from any thread and more than once."""
        self._stop = stop
        if self.is_asked_for:
            stop()


@contextmanager
def orderly_end(on_hangup: Callable[[], None] | None = None, *, within_s: float = WITHIN_S) -> Iterator[Ending]:
    """Let signals end what runs in here. SIGHUP is left alone where it is ignored, as by `nohup`.

    on_hangup: called at SIGHUP, from another thread, in place of an end; not where the terminal was closed

    `within_s` after the first signal, or at the second one, the process ends as it is: with exit code 1, or killed.
    In any other thread than the main one, signals stay as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield Ending()
        return
    ending = Ending(on_hangup)
    hearing, told = socket.socketpair()
    os.set_blocking(told.fileno(), False)
    taken = [number for number in SIGNALS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, ending.on_signal) for number in taken}
    before_fd = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    tell = sys.unraisablehook
    sys.unraisablehook = lambda lost: ending.dropped() if lost.exc_type is KeyboardInterrupt else tell(lost)
    try:
        deadly = [number for number in SIGNALS if number != signal.SIGHUP or on_hangup is None]
        with last_resort(hearing, within_s + LATER_S, deadly) as resort:
            hear = threading.Thread(target=_hear, args=(hearing, ending, resort, within_s), name="signals", daemon=True)
            hear.start()
            yield ending
    finally:
        sys.unraisablehook = tell
        signal.set_wakeup_fd(before_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        told.close()  # ends the thread, which closes its own end


def leave_at_once(code: int) -> NoReturn:
    """End the process without the interpreter's own end, which would wait for threads that never come back."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    last_words()
    os._exit(code)


def _hear(signals: socket.socket, ending: Ending, resort: LastResort, within_s: float) -> None:
    """Wait for a first signal, and then for the end, a second signal, or the deadline."""
    with signals:
        number = b"\0"
        while not ending.is_meant(number[0]):  # others are of a stop and its end, which are no reason to go
            if number[0] == signal.SIGHUP and ending.on_hangup is not None:
                ending.on_hangup()
            # This takes nothing yet: should the thread stand still here, the last resort sees the signal.
            select.select([signals], [], [])
            number = signals.recv(1)
            if not number:
                return
        resort.asked()
        asked_s = time.monotonic()
        ending.ask()
        while (left_s := asked_s + within_s - time.monotonic()) > 0:
            if not select.select([signals], [], [], min(LOOK_S, left_s))[0]:
                ending.interrupt_again(time.monotonic() - asked_s)
                continue
            number = signals.recv(1)
            if not number:
                return
            if ending.is_meant(number[0]):
                break
    _say("streamaffect: ended without waiting for what hangs\n")
    os._exit(1)


def _say(text: str) -> None:
    """Write to standard error, unless that would wait for somebody to read it."""
    with suppress(OSError, ValueError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, text.encode())
