"""Receivers of outlets as processes of their own, whose lines come in one after the other."""

import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0


class Process:
    """`python -m tests.support.outlets.MODULE …`, from its first line on until the end of a with block."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.support.outlets.{module}", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        for read in (self._read_lines, self._read_errors):
            threading.Thread(target=read, daemon=True).start()
        self.first = self.line()

    def line(self, timeout_s: float = WAIT_S) -> str:
        """The next line; fails where none comes."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError("no line came") from None
        assert line is not None, f"the process has ended: {''.join(self._errors)}"
        return line

    def json_until(self, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Lines as JSON up to the first that is wanted, with it."""
        deadline_s = time.monotonic() + WAIT_S
        lines: list[dict[str, Any]] = []
        while not (lines and wanted(lines[-1])):
            try:
                lines.append(json.loads(self.line(max(0.1, deadline_s - time.monotonic()))))
            except AssertionError as error:
                raise AssertionError(f"{error}; before that: {lines[-3:]}") from None
        return lines

    def kill(self) -> None:
        """End it without a word."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Have it stand still: it answers nobody, and its connections stay."""
        self._process.send_signal(signal.SIGSTOP)

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._lines.put(line.rstrip("\n"))
        except ValueError:  # closed
            pass
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with suppress(ValueError):
            self._errors.extend(self._process.stderr)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody uses at this moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
