"""Keys of a real terminal, and its settings however the process ends."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WAIT_S = 30.0
PROGRAM = """
import fcntl, os, sys, termios, threading
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from streamaffect.sinks.display.keyboard import Keyboard, has_keys
assert has_keys()
done = threading.Event()
def press(key):
    print("key", key, flush=True)
    if key == "p":
        keyboard.pause(); print("paused", flush=True)
        threading.Timer(1.0, keyboard.resume).start()
    if key == "q":
        done.set()
    if key == "x":
        os._exit(3)
keyboard = Keyboard(press)
keyboard.start()
done.wait()
keyboard.stop()
print("stopped", flush=True)
"""


class Terminal:
    """A program that has a terminal of its own as its controlling one."""

    def __init__(self) -> None:
        self.descriptor, self.far_end = pty.openpty()  # held here too, so that its settings outlive the program
        self.program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=self.far_end,
            stdout=self.far_end,
            stderr=self.far_end,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        self.said = ""

    @property
    def is_by_keys(self) -> bool:
        return not termios.tcgetattr(self.far_end)[3] & termios.ICANON

    def wait_for(self, what: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + WAIT_S
        while not what():
            assert time.monotonic() < deadline_s, self.said
            if select.select([self.descriptor], [], [], 0.05)[0]:
                with suppress(OSError):
                    self.said += os.read(self.descriptor, 4096).decode()

    def press(self, keys: bytes) -> None:
        os.write(self.descriptor, keys)

    def status(self) -> int:
        return self.program.wait(WAIT_S)

    def close(self) -> None:
        self.program.kill()
        self.program.wait(WAIT_S)
        os.close(self.far_end)
        os.close(self.descriptor)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    made.wait_for(lambda: made.is_by_keys)
    yield made
    made.close()


def test_single_keys_come_without_echo_and_the_settings_are_given_back_at_the_end(terminal: Terminal) -> None:
    terminal.press(b"m7\x1b[A?")
    terminal.wait_for(lambda: "key ?" in terminal.said or "key 7" in terminal.said)
    terminal.press(b"q")
    terminal.wait_for(lambda: "stopped" in terminal.said)
    assert "key m" in terminal.said
    assert terminal.status() == 0
    assert not terminal.is_by_keys


def test_a_pause_gives_the_settings_back_and_afterwards_keys_come_again(terminal: Terminal) -> None:
    terminal.press(b"p")
    terminal.wait_for(lambda: "paused" in terminal.said)
    terminal.wait_for(lambda: terminal.is_by_keys)
    terminal.press(b"m")
    terminal.wait_for(lambda: "key m" in terminal.said)


@pytest.mark.parametrize("end", ["exit", "abort", "kill"])
def test_a_process_that_ends_without_a_word_leaves_the_terminal_as_it_was(terminal: Terminal, end: str) -> None:
    if end == "exit":
        terminal.press(b"x")
    else:
        terminal.program.send_signal(signal.SIGABRT if end == "abort" else signal.SIGKILL)
    assert terminal.status() in (3, -signal.SIGABRT, -signal.SIGKILL)
    terminal.wait_for(lambda: not terminal.is_by_keys)
    terminal.wait_for(lambda: "\x1b[?1049l\x1b[?25h" in terminal.said)
