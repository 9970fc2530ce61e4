"""What writes into a fleet's folder ends with the fleet, also when that is killed, and nothing else does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamaffect.fleet.reaper import end_all, writers

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere Ray has a reaper of its own")

WAIT_S = 30.0
WRITES = "import sys, time; file = open(sys.argv[1], 'w'); print('open', flush=True); time.sleep(600)"
FLEET = """
import sys, time
from pathlib import Path
from streamaffect.fleet.reaper import reaped
with reaped(Path(sys.argv[1])):
    print("open", flush=True)
    time.sleep(600)
"""


def started(program: str, path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "fleet"
    folder.mkdir()
    return folder


@pytest.fixture
def writer(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    with started(WRITES, folder / "log") as process:
        yield process
        process.kill()


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    with started(WRITES, tmp_path / "fleet-of-others") as process:
        yield process
        process.kill()


def test_those_who_write_there_are_found_and_ended_and_others_are_not(
    folder: Path, writer: "subprocess.Popen[str]", stranger: "subprocess.Popen[str]"
) -> None:
    assert writers(folder) == [writer.pid]
    assert end_all(folder, grace_s=0.0) == []
    assert writer.wait(WAIT_S) == -signal.SIGKILL
    assert stranger.poll() is None


def test_a_fleet_that_is_killed_takes_them_and_its_folder_along(
    folder: Path, writer: "subprocess.Popen[str]", stranger: "subprocess.Popen[str]"
) -> None:
    with started(FLEET, folder) as fleet:
        os.kill(fleet.pid, signal.SIGKILL)
        fleet.wait(WAIT_S)
    assert writer.wait(WAIT_S) == -signal.SIGKILL
    deadline_s = time.monotonic() + WAIT_S
    while folder.exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    assert stranger.poll() is None
