"""Logs as JSON: one object a line, whoever has written it, and no credentials in any."""

import json
import logging
import os
import sys
from collections.abc import Iterator

import pytest

from streamaffect.outlet import Outlet
from streamaffect.service.json_log import log_as_json


class Log:
    """Standard error of a program that logs as JSON."""

    def __init__(self) -> None:
        self._reading, writing = os.pipe()
        self.outlet = Outlet(writing, encoding="utf-8", remarks=True)
        os.close(writing)

    def write(self, text: str) -> None:
        """What somebody prints."""
        self.outlet.write(text)

    def lines(self) -> list[dict[str, str]]:
        """What has come out, once everything is written."""
        assert self.outlet.drain(20.0)
        self.outlet.retire()
        with os.fdopen(self._reading, encoding="utf-8") as file:
            return [json.loads(line) for line in file]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    found = Log()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    with monkeypatch.context() as patched:  # pytest has a file of its own there, in each phase of a test
        patched.setattr(sys, "stderr", found.outlet)
        log_as_json("info")
    yield found
    root.handlers = before
    root.setLevel(level)


def test_a_record_is_one_object_with_time_level_logger_and_message(
    log: Log,
) -> None:
    logging.getLogger("streamaffect.door").warning('a "quoted"\nline of %d', 2)
    (entry,) = log.lines()
    assert entry.pop("time").endswith("Z")
    assert entry == {"level": "warning", "logger": "streamaffect.door", "message": 'a "quoted"\nline of 2'}


def test_a_trace_stands_in_the_same_object(log: Log) -> None:
    try:
        raise ValueError("rtsp://user:hunter2@door/1")
    except ValueError as error:
        logging.getLogger("door").error("failed", exc_info=error)
    (entry,) = log.lines()
    assert "Traceback" in entry["trace"]
    assert "hunter2" not in entry["trace"]


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://user:hunter2@door/1",
        "http://door/live?token=hunter2",
        "http://door/live?x=1&password=hunter2",
        "user:hunter2@door",
        "rtsp://user:hunter2 with spaces@door/1",
        "Authorization: Basic hunter2",
    ],
)
def test_a_secret_at_the_end_of_a_message_takes_no_quotation_mark_with_it(log: Log, text: str) -> None:
    logging.getLogger("door").warning(text)
    log.write(f"streamaffect: {text}\n")
    logged, printed = log.lines()
    assert logged["message"] == printed["message"]
    assert "hunter2" not in logged["message"]
    assert "***" in logged["message"]


def test_what_others_print_and_the_last_line_of_a_command_are_objects_too(
    log: Log,
) -> None:
    log.write("a library has ")
    log.write("something to say\n\nand more\n")
    log.write("streamaffect: no source\n")
    assert [(entry["logger"], entry["level"], entry["message"]) for entry in log.lines()] == [
        ("stderr", "warning", "a library has something to say"),
        ("stderr", "warning", "and more"),
        ("streamaffect", "error", "no source"),
    ]
