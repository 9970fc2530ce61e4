"""The main job as a user starts it: a process of its own, real video, real faces, signals."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

import streamaffect
from streamaffect import Subscriber
from streamaffect.messages import Estimate, Event, Health
from streamaffect.recordings.reading import read_recording
from tests.support.bundles import write_bundle

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "streamaffect" / "assets" / "demo.mp4"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", frames=8, past=4)


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run_stream.py"), "--bind", "tcp://127.0.0.1:0", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*arguments: str) -> "subprocess.CompletedProcess[str]":
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def test_a_file_runs_to_its_end_and_every_frame_with_a_face_is_estimated(bundle: Path, tmp_path: Path) -> None:
    recording = tmp_path / "run.jsonl"
    done = finish("--source", str(DEMO), "--bundle", str(bundle), "--record", str(recording))
    assert done.returncode == 0, done.stderr
    messages = list(read_recording(recording))
    estimates = [message for message in messages if isinstance(message, Estimate)]
    assert [estimate.seq for estimate in estimates] == list(range(len(estimates)))
    assert len(estimates) >= 240
    assert {estimate.track for estimate in estimates} == {0}
    assert [estimate.status for estimate in estimates[-100:]] == ["ok"] * 100
    assert [message.event for message in messages if isinstance(message, Event)] == ["track_born", "source_ended"]


def test_the_same_file_gives_the_same_bytes_also_under_load(bundle: Path, tmp_path: Path) -> None:
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        for name in ("a.jsonl", "b.jsonl"):
            done = finish("--source", str(DEMO), "--bundle", str(bundle), "--record", str(tmp_path / name))
            assert done.returncode == 0, done.stderr
            for process in load:
                process.kill()
    finally:
        for process in load:
            process.kill()
            process.wait()
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_video_without_any_face_runs_to_its_end_and_says_so(bundle: Path, tmp_path: Path) -> None:
    video = tmp_path / "noise.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for frame in np.random.default_rng(0).integers(0, 60, (20, 240, 320, 3), np.uint8):
        writer.write(frame)
    writer.release()
    done = finish("--source", str(video), "--bundle", str(bundle))
    assert done.returncode == 0
    assert "no face" in done.stderr
    done = finish("--source", str(video), "--bundle", str(bundle), "--no-display")
    assert "noise: no face was found in 20 frames" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_live_run_in_order(bundle: Path, tmp_path: Path, number: signal.Signals) -> None:
    recording = tmp_path / "run.jsonl"
    process = start("--source", "demo", "--bundle", str(bundle), "--record", str(recording))
    _wait_for_estimates(recording)
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    last = list(read_recording(recording))[-2:]
    assert any(isinstance(message, Event) and message.event == "source_ended" for message in last)


def test_without_a_terminal_there_is_no_display_and_no_error(bundle: Path) -> None:
    done = finish("--source", str(DEMO), "--bundle", str(bundle), "--max-seconds", "2")
    assert done.returncode == 0
    assert done.stdout == ""
    assert "\x1b" not in done.stderr


def test_analyze_gives_the_estimates_that_a_run_records(bundle: Path, tmp_path: Path) -> None:
    recording = tmp_path / "run.jsonl"
    assert finish("--source", str(DEMO), "--bundle", str(bundle), "--record", str(recording)).returncode == 0
    recorded = [message for message in read_recording(recording) if isinstance(message, Estimate)]
    analysed = list(streamaffect.analyze(DEMO, bundle=bundle))
    assert [estimate.seq for estimate in analysed] == [estimate.seq for estimate in recorded]
    for ours, theirs in zip(analysed, recorded, strict=True):
        assert ours.valence == pytest.approx(theirs.valence, abs=1e-6)
        assert ours.box == pytest.approx(theirs.box, abs=1e-6)


def test_max_seconds_of_a_file_counts_its_own_time(bundle: Path) -> None:
    estimates = list(streamaffect.analyze(DEMO, bundle=bundle, run={"max_seconds": 2}))
    assert 1.8 < (estimates[-1].pts_s or 0) < 2.0


def test_a_recording_can_be_replayed_with_its_sequence_and_tracks(bundle: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    finish("--source", str(DEMO), "--bundle", str(bundle), "--max-seconds", "1.5", "--record", str(first))
    done = finish("--source", f"replay:{first}", "--record", str(second))
    assert done.returncode == 0, done.stderr
    original = [message for message in read_recording(first) if isinstance(message, Estimate)]
    assert [message for message in read_recording(second) if isinstance(message, Estimate)] == original


def test_the_latency_of_a_health_message_is_that_of_the_estimates_as_they_were_sent(
    bundle: Path, tmp_path: Path
) -> None:
    address = f"ipc://{tmp_path}/feed"
    totals_ms: list[float] = []
    with Subscriber(address, timeout_s=60) as feed:
        process = start("--source", "demo", "--bundle", str(bundle), "--bind", address)
        try:
            # On a busy machine the first estimates may have gone before this reader was there.
            for report in islice(_reports(feed, totals_ms), 20):
                assert report.latency_ms is not None
                unknown = {report.latency_ms.p50, report.latency_ms.p95, report.latency_ms.p99} - set(totals_ms)
                if not unknown:
                    break
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)
    assert unknown == set()


def _reports(feed: Subscriber, totals_ms: list[float]) -> Iterator[Health]:
    """Health messages of a stream whose estimates come; their latencies are noted meanwhile."""
    for message in feed.messages():
        if isinstance(message, Estimate):
            totals_ms.append(message.latency_ms["total"])
        elif isinstance(message, Health) and message.latency_ms is not None:
            yield message


def _wait_for_estimates(recording: Path) -> None:
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        if recording.exists() and '"kind":"affect"' in recording.read_text():
            return
        time.sleep(0.05)
    raise AssertionError("no estimate within 30 s")
