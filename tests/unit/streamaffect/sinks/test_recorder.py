"""What the recorder creates, refuses and leaves behind."""

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from streamaffect.errors import RecordingError
from streamaffect.recordings.reading import read_recording
from streamaffect.sinks.base import IdlingSink
from streamaffect.sinks.recorder import Recorder
from streamaffect.types import Estimate
from tests.support.recordings import estimate_at, file_header, live_estimate_at, live_header, record

FULL_DISK = """
import resource, sys
from pathlib import Path
from streamaffect.errors import RecordingError
from streamaffect.sinks.recorder import Recorder
from tests.support.recordings import estimate_at, file_header

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
sent = 0
try:
    recorder = Recorder(Path(sys.argv[1]), file_header())
    while True:
        recorder.send(estimate_at(sent * 0.04, seq=sent))
        sent += 1
except RecordingError as error:
    print(sent, error)
"""


def record_until_full(path: Path, size_bytes: int) -> tuple[int, str]:
    """Record in a process that may write so many bytes to a file; the number of messages, and the error."""
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), str(size_bytes)], capture_output=True, text=True, check=True
    )
    sent, _, error = child.stdout.partition(" ")
    return int(sent), error


def test_the_file_exists_with_its_header_before_the_first_message(tmp_path: Path) -> None:
    with closing(Recorder(tmp_path / "a.jsonl", file_header())):
        assert read_recording(tmp_path / "a.jsonl").header == file_header()


def test_a_message_can_be_read_as_soon_as_it_was_sent(tmp_path: Path) -> None:
    with closing(Recorder(tmp_path / "a.jsonl", file_header())) as recorder:
        recorder.send(estimate_at(0.0))
        assert list(read_recording(tmp_path / "a.jsonl")) == [estimate_at(0.0)]


def test_a_live_estimate_gets_the_time_at_which_it_was_written(tmp_path: Path) -> None:
    before_ns = time.time_ns()
    complete = live_estimate_at(0.0, t_publish_ns=0, latency_ms={"faces": 3.5, "total": 20.0})
    [written] = read_recording(record(tmp_path / "a.jsonl", [complete], live_header()))
    assert isinstance(written, Estimate)
    assert before_ns - 1e9 < written.t_publish_ns < time.time_ns() + 1e9
    assert list(written.latency_ms) == ["faces", "total", "publish"]


def test_an_existing_file_is_refused_with_a_free_name(tmp_path: Path) -> None:
    path = record(tmp_path / "session.jsonl", [estimate_at(0.0)])
    (tmp_path / "session-2.jsonl").touch()
    before = path.read_bytes()
    with pytest.raises(RecordingError, match=r"session\.jsonl: already exists; .*session-3\.jsonl"):
        Recorder(path, file_header())
    assert path.read_bytes() == before


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="is a folder"):
        Recorder(tmp_path, file_header(), overwrite=True)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"there is no folder .*/sessions; create it first"):
        Recorder(tmp_path / "sessions" / "a.jsonl", file_header())
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_the_system_refuses_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cannot be written \(File name too long\)"):
        Recorder(tmp_path / ("a" * 300), file_header())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RecordingError, match=r"cannot be written \(Permission denied\)"):
            Recorder(tmp_path / "a.jsonl", file_header())
    finally:
        tmp_path.chmod(0o700)


def test_a_device_is_not_overwritten() -> None:
    with pytest.raises(RecordingError, match="/dev/null: is not a regular file"):
        Recorder("/dev/null", file_header(), overwrite=True)


def test_overwriting_keeps_the_old_recording_until_the_first_message(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0)])
    recorder = Recorder(path, file_header(), overwrite=True)
    assert list(read_recording(path)) == [estimate_at(0.0)]
    recorder.send(estimate_at(7.0))
    assert list(read_recording(path)) == [estimate_at(7.0)]
    recorder.close()
    assert list(tmp_path.iterdir()) == [path]


def test_overwriting_by_a_run_without_messages_leaves_an_empty_recording(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0)])
    Recorder(path, file_header(), overwrite=True).close()
    assert list(read_recording(path)) == []
    assert list(tmp_path.iterdir()) == [path]


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.jsonl", file_header())
    recorder.close()
    recorder.close()


def test_a_disk_that_is_full_at_the_start_leaves_no_file(tmp_path: Path) -> None:
    sent, error = record_until_full(tmp_path / "a.jsonl", 100)
    assert sent == 0
    assert "a.jsonl: cannot be written (File too large)" in error
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_ends_the_recording_after_a_whole_line(tmp_path: Path) -> None:
    sent, error = record_until_full(tmp_path / "a.jsonl", 20_000)
    recording = read_recording(tmp_path / "a.jsonl")
    assert sent > 0
    assert [message.seq for message in recording] == list(range(sent))  # type: ignore[union-attr]
    assert not recording.torn
    assert error.count("\n") == 1


def test_the_recorder_is_called_while_nothing_comes_so_that_it_can_sync(tmp_path: Path) -> None:
    with closing(Recorder(tmp_path / "a.jsonl", file_header())) as recorder:
        assert isinstance(recorder, IdlingSink)
        assert recorder.idle_s <= 1.0
