"""A real run, told what to do by `streamaffect ctl` and by Controller in other processes."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamaffect import ControlError, Controller, Subscriber
from streamaffect.messages import Event
from streamaffect.recordings.export import export
from streamaffect.recordings.reading import read_recording
from tests.support.bundles import write_bundle

pytestmark = pytest.mark.usefixtures("runtime_folder")

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def address(tmp_path: Path, recording: Path) -> Iterator[str]:
    """The feed of a live run that is recorded, with commands beside it."""
    feed = f"tcp://127.0.0.1:{free_port()}"
    words = ("--source", "a=synthetic", "--bundle", str(write_bundle(tmp_path / "bundle")), "--record", str(recording))
    with subprocess.Popen(
        [sys.executable, str(ROOT / "run_stream.py"), *words, "--bind", feed, "--no-display"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        wait_until_it_runs(feed)
        try:
            yield feed  # every test stops the run
            _, said = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert process.returncode == 0, said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def wait_until_it_runs(feed: str) -> None:
    with Controller(feed, answer_s=1.0) as run:
        for _ in range(60):
            try:
                if any(stream.state == "live" for stream in run.streams()):
                    return
            except ControlError:
                pass
            time.sleep(0.2)
    raise AssertionError("the run did not start")


def ctl(*words: str, address: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "streamaffect", "ctl", *words, "--address", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, cwd=ROOT, check=False)


def events(recording: Path) -> list[Event]:
    return [message for message in read_recording(recording) if isinstance(message, Event)]


def wait_for_the_end(recording: Path) -> None:
    for _ in range(100):
        if events(recording)[-1].event == "source_ended":
            return
        time.sleep(0.1)
    raise AssertionError("the run did not end")


def test_what_was_told_stands_in_feed_and_recording_and_the_exports_know_the_stream_that_came_later(
    address: str, recording: Path, tmp_path: Path
) -> None:
    with Subscriber(address, stream="a", timeout_s=WAIT_S) as feed:
        assert feed.receive(WAIT_S) is not None
        assert ctl("mark", "stimulus 1", address=address).stdout == "marked: stimulus 1\n"
        labels = (one.label for one in feed.messages() if isinstance(one, Event) and one.event == "marker")
        assert next(labels) == "stimulus 1"
    assert ctl("add", "b=synthetic:faces=1", address=address).stdout == "b: added\n"
    wrong = ctl("add", "c=nowhere.mp4", address=address)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("streamaffect: nowhere.mp4: no such file")
    assert wrong.stderr.count("\n") == 1
    with Controller(address) as run:
        for _ in range(100):
            if all(stream.estimates for stream in run.streams()):
                break
            time.sleep(0.1)
        run.mark("stimulus 2")
    assert {one["stream"] for one in json.loads(ctl("status", "--json", address=address).stdout)["streams"]} == {
        "a",
        "b",
    }
    assert ctl("remove", "b", address=address).returncode == 0
    assert ctl("stop", address=address).stdout == "the run is ending\n"
    wait_for_the_end(recording)
    told = [(one.stream, one.event) for one in events(recording)]
    assert {("b", "stream_added"), ("b", "stream_removed"), ("a", "stop_asked")} <= set(told)
    assert told.count(("a", "marker")) == 2
    assert told.count(("b", "marker")) == 1
    for suffix in (".csv", ".emotionml", ".xdf", ".eaf", ".tsv"):
        out = tmp_path / f"out{suffix}"
        assert export(recording, out, stream="b").rows > 0
        content = out.read_bytes()
        assert content.count(b"stimulus 2") >= 1
        assert b"stimulus 1" not in content


def test_a_thousand_markers_at_once_are_all_recorded_in_their_order(address: str, recording: Path) -> None:
    with Controller(address) as run:
        for number in range(1000):
            run.mark(f"m{number}")
        run.stop()
    wait_for_the_end(recording)
    labels = [str(one.label) for one in events(recording) if one.event == "marker"]
    assert labels == [f"m{number}" for number in range(1000)]
