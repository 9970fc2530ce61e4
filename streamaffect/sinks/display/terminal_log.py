"""Log records and standard error while a display owns the terminal: kept from tearing it, and not lost."""

import io
import logging
import sys
from collections.abc import Callable
from typing import TextIO


class LogDiversion(logging.Handler):
    """Takes the place of the handlers that write to the terminal, from `start` to `stop`.

    Each record is passed to `show` in the format of the handlers that it replaces, in the thread that logs.
    """

    def __init__(self, show: Callable[[int, str], None]) -> None:
        super().__init__()
        self._show = show
        self._replaced: list[tuple[logging.Logger, logging.Handler]] = []
        self._hosts: list[logging.Logger] = []

    def start(self) -> None:
        """Replace every handler of a logger that writes to standard output or standard error."""
        for logger in _loggers():
            terminal = [handler for handler in logger.handlers if _writes_to_terminal(handler)]
            self._replaced += [(logger, handler) for handler in terminal]
            for handler in terminal:
                logger.removeHandler(handler)
            if terminal or logger is logging.getLogger():
                self._hosts.append(logger)
                logger.addHandler(self)
        if self._replaced:
            first = self._replaced[0][1]
            self.setFormatter(first.formatter)
            self.setLevel(first.level)
        else:
            self.setLevel(logging.WARNING)

    def stop(self) -> None:
        """Put the handlers back. Doing it again does nothing."""
        for logger in self._hosts:
            logger.removeHandler(self)
        for logger, handler in self._replaced:
            logger.addHandler(handler)
        self._hosts, self._replaced = [], []

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on as a line."""
        self._show(record.levelno, self.format(record))


class LineWriter(io.TextIOBase):
    """A text file that passes each line on: put in the place of standard error for warnings and tracebacks."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self._show = show
        self._begun = ""

    def writable(self) -> bool:
        """It can only be written."""
        return True

    def write(self, text: str) -> int:
        """Pass the complete lines on and keep the rest until it is one."""
        *complete, self._begun = (self._begun + text).split("\n")
        for line in complete:
            self._show(line)
        return len(text)


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logging.getLogger(), *(logger for logger in known if isinstance(logger, logging.Logger))]


def _writes_to_terminal(handler: logging.Handler) -> bool:
    if not isinstance(handler, logging.StreamHandler):
        return False
    stream: TextIO = handler.stream
    return stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
