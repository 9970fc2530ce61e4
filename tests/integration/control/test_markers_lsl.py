"""Markers of a real Lab Streaming Layer outlet in another process."""

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamaffect.control.markers.lsl import LslMarkers
from tests.support.control.desks import ToldDesk

pytest.importorskip("pylsl", exc_type=ImportError)

ROOT = Path(__file__).parents[3]
WAIT_S = 90.0
WITHIN_NS = 2_000_000


@contextmanager
def outlet(name: str, count: int) -> Iterator["subprocess.Popen[str]"]:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.support.control.lsl_outlet", name, str(count)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with program:
        try:
            yield program
        finally:
            program.kill()


def wait_for_markers(desk: ToldDesk, count: int) -> None:
    changed = threading.Event()
    for _ in range(int(WAIT_S / 0.05)):
        if len(desk.labels) >= count:
            return
        changed.wait(0.05)
    raise AssertionError(f"{len(desk.labels)} of {count} markers came")


def test_markers_stand_within_two_milliseconds_of_what_they_mark_and_a_stream_that_vanished_is_found_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    name, desk = f"stimuli-{uuid.uuid4()}", ToldDesk()
    markers = LslMarkers(name, desk.desk.mark_whatever)
    try:
        with outlet(name, 1000) as program:
            wait_for_markers(desk, 1000)
            program.communicate("\n", timeout=WAIT_S)
        with outlet(name, 10):
            wait_for_markers(desk, 1010)
    finally:
        markers.close()
    assert len(desk.told) == 1010
    assert {event.origin for event in desk.told} == {f"lsl:{name}"}
    off_ns = [abs(event.t_ns - int(str(event.label))) for event in desk.told]
    assert (
        sorted(off_ns)[len(off_ns) * 9 // 10] < WITHIN_NS
    )  # a machine that is busy reads two clocks apart, now and then
    assert f"lsl:{name}: the stream has vanished" in caplog.text
