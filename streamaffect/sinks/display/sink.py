"""The dashboard as a sink: when it is redrawn, and what becomes of the terminal meanwhile.

The dashboard lives in the thread of its sink alone: a message updates the state, and a redraw follows when one is due.
Between messages the sink's idle calls keep the clocks on the screen going.
"""

import atexit
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr
from typing import Literal

from rich.console import Console

from streamaffect.clock import monotonic_ns
from streamaffect.messages import Message
from streamaffect.sinks.display.dashboard import render
from streamaffect.sinks.display.keyboard import Keyboard
from streamaffect.sinks.display.lines import Line
from streamaffect.sinks.display.progress import summary
from streamaffect.sinks.display.state import DisplayState, RunInfo
from streamaffect.sinks.display.terminal_log import LineWriter, LogDiversion

REDRAW_PERIOD_NS = 100_000_000
REPAINT_PERIOD_NS = 1_000_000_000
SHARE_OF_A_CORE = 0.04
LOG_LINES_KEPT = 200


class Dashboard:
    """The dashboard as a sink, full screen until `close`; then the terminal is as it was, with a summary below.

    Redraws at most ten times a second, and less often where that would cost more than 4 % of a core.
    """

    name = "display"
    idle_s = REDRAW_PERIOD_NS / 1e9

    def __init__(self, console: Console, *, run: RunInfo, clock: Callable[[], int] = monotonic_ns) -> None:
        self._console = console
        self._clock = clock
        self._state = DisplayState(run)
        self._shown: list[Line] = []
        self._size = (0, 0)
        self._next_redraw_ns = 0
        self._next_repaint_ns = 0
        self._log = LogDiversion(self._keep_log_line)
        self._log_lines: deque[tuple[int, str]] = deque(maxlen=LOG_LINES_KEPT)
        self._log_shown = 0
        self._log_count = 0
        self._terminal = ExitStack()
        self._keyboard: Keyboard | None = None
        self._is_suspended = False
        self._lock = threading.Lock()
        self._terminal_is: Literal["untouched", "taken", "given back"] = "untouched"

    def send(self, message: Message) -> None:
        """Take one message, and redraw if a redraw is due."""
        self._state.update(message, self._clock())
        self._redraw_when_due()

    def idle(self) -> None:
        """Redraw if a redraw is due: durations go on without messages."""
        self._redraw_when_due()

    def close(self) -> None:
        """Give the terminal back, with what was logged meanwhile and a summary. Doing it again does nothing."""
        with self._lock:
            taken, self._terminal_is = self._terminal_is == "taken", "given back"
            self._terminal.close()
        if taken:
            sys.stderr.writelines(f"{text}\n" for _, text in self._log_lines)
            for text in summary(self._state):
                self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def use_keys(self, keyboard: Keyboard) -> None:
        """Take keys while the display fills the screen."""
        self._keyboard = keyboard

    def say(self, text: str) -> None:
        """Show a line to whoever looks, and leave it in the terminal at the end; callable from any thread."""
        self._keep_log_line(logging.WARNING, text)

    def suspend(self) -> None:
        """Give the terminal back for a while, as before the process is stopped."""
        with self._lock:
            self._is_suspended = True
            if self._terminal_is == "taken":
                if self._keyboard is not None:
                    self._keyboard.pause()
                self._console.set_alt_screen(enable=False)
                self._console.show_cursor(show=True)

    def resume(self) -> None:
        """Take the terminal again, and draw all of it. Doing it again only draws."""
        with self._lock:
            if self._terminal_is == "taken":
                self._console.set_alt_screen(enable=True)
                self._console.show_cursor(show=False)
                if self._keyboard is not None:
                    self._keyboard.pause()
                    self._keyboard.resume()
            self._size = (0, 0)
            self._is_suspended = False

    def _take_terminal(self) -> None:
        """Fill the screen from now on. Should the program end without `close`, the interpreter's exit gives it back."""
        self._terminal_is = "taken"
        atexit.register(self.close)
        self._terminal.callback(atexit.unregister, self.close)
        self._log.start()
        self._terminal.callback(self._log.stop)
        self._terminal.enter_context(redirect_stderr(LineWriter(lambda text: self._keep_log_line(logging.INFO, text))))
        self._terminal.enter_context(self._console.screen(hide_cursor=True))
        if self._keyboard is not None:
            self._keyboard.start()
            self._terminal.callback(self._keyboard.stop)

    def _redraw_when_due(self) -> None:
        now_ns = self._clock()
        if now_ns < self._next_redraw_ns:
            return
        with self._lock:
            if self._terminal_is == "given back" or self._is_suspended:
                return
            if self._terminal_is == "untouched":
                self._take_terminal()
            started_ns = time.thread_time_ns()
            self._redraw(now_ns)
            cost_ns = time.thread_time_ns() - started_ns
        self._next_redraw_ns = now_ns + max(REDRAW_PERIOD_NS, round(cost_ns / SHARE_OF_A_CORE))

    def _redraw(self, now_ns: int) -> None:
        """Write the lines that have changed; each second all of them, in case something else wrote to the terminal."""
        self._note_log_lines(now_ns)
        self._state.forget_stale(now_ns)
        size = self._console.size
        picture = render(self._state, size.width, size.height, now_ns)
        lines = picture.for_terminal(ascii_only=self._console.options.ascii_only)
        everything = (size.width, size.height) != self._size or now_ns >= self._next_repaint_ns
        if everything:
            self._next_repaint_ns = now_ns + REPAINT_PERIOD_NS
            self._size = (size.width, size.height)
        with self._console:  # one write for all
            for row, segments in enumerate(lines):
                if everything or segments != self._shown[row]:
                    self._console.update_screen_lines([segments], y=row)
        self._shown = lines

    def _keep_log_line(self, level: int, text: str) -> None:
        """Called in the thread that logs."""
        self._log_lines.append((level, text))
        self._log_count += 1

    def _note_log_lines(self, now_ns: int) -> None:
        """Show the warnings that have come since the last redraw."""
        new = self._log_count - self._log_shown
        self._log_shown += new
        for level, text in list(self._log_lines)[-new:] if new else []:
            if level >= logging.WARNING:
                self._state.note(text.splitlines()[0], now_ns)
