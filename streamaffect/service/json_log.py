"""Logs for machines: one JSON object a line on standard error, whoever has written it.

What the program logs keeps its level and logger; any other line that passes the outlet of standard error, a warning of
a library or the last line of a command, becomes an object too. Credentials are removed from each text before it is
quoted: afterwards a replacement could take a quotation mark with it.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from streamaffect.outlet import Outlet
from streamaffect.redaction import clean

PROGRAM: Final = "streamaffect"  # begins the line with which a command says why it ends


class JsonFormatter(logging.Formatter):
    """A record as `{"time", "level", "logger", "message"}` and, where there is one, `"trace"`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line without its newline; `time` is UTC to the millisecond, as in ISO 8601."""
        text, trace = record.getMessage(), ""
        if record.exc_info and record.exc_info[0] is not None:
            trace = self.formatException(record.exc_info)
        return json_line(text, level=record.levelname, logger=record.name, time_s=record.created, trace=trace)


class JsonHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes records to standard error past the redaction of whole lines, since each text in them was redacted."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; never raises."""
        try:
            line = self.format(record) + self.terminator
            if isinstance(self.stream, Outlet):
                self.stream.write_ready(line)
            else:
                self.stream.write(line)
        except Exception:
            self.handleError(record)


def json_line(text: str, *, level: str, logger: str, time_s: float, trace: str = "") -> str:
    """One object as a line without its newline; only ASCII, so that any reader takes it."""
    time = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entry = {"time": time, "level": level.lower(), "logger": logger, "message": clean(text)}
    return json.dumps(entry | ({"trace": clean(trace)} if trace else {}))


def log_as_json(level: str) -> None:
    """Let all loggers, and whatever else passes the outlet of standard error, write JSON from here on."""
    logging.basicConfig(level=level.upper(), force=True, handlers=[JsonHandler()])
    if isinstance(sys.stderr, Outlet):
        sys.stderr.dress = _dressed


def _dressed(line: str, time_s: float) -> str:
    text = line.removeprefix(f"{PROGRAM}: ")
    level, logger = ("warning", "stderr") if text == line else ("error", PROGRAM)
    return json_line(text, level=level, logger=logger, time_s=time_s)
