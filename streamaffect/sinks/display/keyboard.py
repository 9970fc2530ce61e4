"""Single keys from the terminal while a display owns it, and the terminal's settings, given back however the run ends.

Ctrl-C and Ctrl-Z work as ever. A small shell watches from a session of its own: should this process end without a word,
by a signal or a fault of native code, the shell puts the settings back. In the background nothing is touched, since a
job there is stopped when it reads keys.
"""

import os
import select
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

POLL_S = 0.25
JOIN_S = 1.0
GUARD = r"""read -r done_ || { stty "$1" <&1; printf '\033[?1049l\033[?25h'; }"""

Modes = list[Any]


def has_keys() -> bool:
    """True where standard input is a terminal."""
    with suppress(AttributeError, OSError, ValueError):  # closed, or not there at all
        return os.isatty(sys.stdin.fileno())
    return False


class Keyboard:
    """Calls `press` with each character, in a thread of its own, from `start` to `stop`."""

    def __init__(self, press: Callable[[str], None]) -> None:
        self._press = press
        self._descriptor = sys.stdin.fileno()
        self._before: Modes | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._paused = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="keyboard", daemon=True)

    def start(self) -> None:
        """Take keys from now on, once the process is in the foreground."""
        self._thread.start()

    def pause(self) -> None:
        """Give the terminal's settings back for a while, as before a stop by Ctrl-Z."""
        with self._lock:
            self._paused = True
            self._give_back()

    def resume(self) -> None:
        """Take keys again."""
        self._paused = False

    def stop(self) -> None:
        """Give the terminal back for good. Doing it again does nothing."""
        self._ended.set()
        with self._lock:
            self._give_back()
        if self._guard is not None and self._guard.stdin is not None:
            with suppress(OSError):
                self._guard.stdin.write(b"done\n")
                self._guard.stdin.close()
            self._guard.wait(JOIN_S)
            self._guard = None
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        with suppress(OSError, termios.error):  # the terminal has gone
            while not self._ended.is_set():
                if not self._is_ready():
                    self._ended.wait(POLL_S)
                elif select.select([self._descriptor], [], [], POLL_S)[0]:
                    keys = os.read(self._descriptor, 64)
                    if not keys:
                        return
                    if not keys.startswith(b"\x1b"):  # an arrow or a function key is several characters
                        for key in keys.decode("utf-8", "ignore"):
                            self._press(key)

    def _is_ready(self) -> bool:
        """Take the terminal where that is possible now."""
        with self._lock:
            if self._paused or self._ended.is_set() or os.tcgetpgrp(self._descriptor) != os.getpgrp():
                return False
            if self._before is None:
                self._before = termios.tcgetattr(self._descriptor)
                self._watch()
                changed: Modes = [
                    *self._before[:3],
                    self._before[3] & ~(termios.ICANON | termios.ECHO),
                    *self._before[4:],
                ]
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, changed)
            return True

    def _give_back(self) -> None:
        if self._before is not None:
            before, self._before = self._before, None
            with suppress(OSError, termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)

    def _watch(self) -> None:
        """Start the shell that puts the settings back, once."""
        if self._guard is not None:
            return
        with suppress(OSError, subprocess.SubprocessError):  # without a shell only an orderly end gives it back
            saved = subprocess.run(
                ["stty", "-g"], stdin=self._descriptor, capture_output=True, text=True, check=True, timeout=JOIN_S
            ).stdout.strip()
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "sh", saved],
                stdin=subprocess.PIPE,
                stdout=self._descriptor,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
