"""The dashboard on a real pseudo-terminal, in a process of its own."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

from streamaffect.messages import NOTICE

ROOT = Path(__file__).parents[3]
ENTER, LEAVE, HIDE, SHOW = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h"


def run_on_terminal(
    *arguments: str,
    size: tuple[int, int] = (80, 24),
    environment: dict[str, str] | None = None,
    on_output: Callable[[int, bytes], None] = lambda terminal, output: None,
) -> tuple[int, bytes]:
    """Exit status and everything that was written. `on_output` is called with the terminal and all output so far."""
    terminal, child_end = pty.openpty()
    resize(terminal, size)
    variables = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "LINES")}
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.show_display", *arguments],
        cwd=ROOT,
        stdin=child_end,
        stdout=child_end,
        stderr=child_end,
        env=variables | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUTF8": "1"} | (environment or {}),
    )
    os.close(child_end)
    output = b""
    while chunk := read(terminal):
        output += chunk
        on_output(terminal, output)
    os.close(terminal)
    return child.wait(timeout=20), output


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux answers EIO when the other end is closed
        return b""


def resize(terminal: int, size: tuple[int, int]) -> None:
    columns, rows = size
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def rows_written(output: bytes) -> set[int]:
    return {int(row) for row in re.findall(rb"\x1b\[(\d+);1H", output)}


def test_the_dashboard_fills_the_screen_and_gives_the_terminal_back_with_log_and_summary() -> None:
    status, output = run_on_terminal("dashboard", "2")
    assert status == 0
    assert output.count(ENTER) == output.count(LEAVE) == 1
    assert output.index(ENTER) < output.index(NOTICE[:60].encode()) < output.index(LEAVE)
    assert HIDE in output
    assert SHOW in output[output.index(HIDE) :]
    after = output[output.index(LEAVE) :].decode()
    assert "WARNING the fake stream is over" in after
    assert "webcam: 30 frames" in after


def test_an_exception_gives_the_terminal_back_and_is_still_to_be_read() -> None:
    status, output = run_on_terminal("dashboard", "1", "--crash")
    assert status == 1
    after = output[output.index(LEAVE) :].decode()
    assert SHOW.decode() in output.decode()
    assert "RuntimeError: crashed on purpose" in after


def test_it_fits_the_terminal_after_a_resize() -> None:
    resized_at: list[int] = []

    def make_larger(terminal: int, output: bytes) -> None:
        if not resized_at and NOTICE[:60].encode() in output:
            resized_at.append(len(output))
            resize(terminal, (120, 40))

    _, output = run_on_terminal("dashboard", "3", on_output=make_larger)
    (before,) = resized_at
    assert max(rows_written(output[:before])) == 24
    assert max(rows_written(output[before:])) == 40


def test_no_color_gives_a_picture_without_colours() -> None:
    colour = re.compile(rb"\x1b\[[0-9;]*(38|48);")
    _, coloured = run_on_terminal("dashboard", "1")
    _, colourless = run_on_terminal("dashboard", "1", environment={"NO_COLOR": "1"})
    assert colour.search(coloured)
    assert not colour.search(colourless)
    assert "●".encode() in colourless or "○".encode() in colourless


def test_plain_progress_sends_no_control_codes() -> None:
    _, output = run_on_terminal("plain", "2", "--length", "4")
    assert b"\x1b" not in output
    assert b"valence" in output
