"""What the recorder creates, refuses and leaves behind."""

import errno
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from streamaffect.errors import RecordingError
from streamaffect.messages import Estimate
from streamaffect.recordings.reading import read_recording
from streamaffect.sinks.base import IdlingSink
from streamaffect.sinks.recorder import Recorder
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


class Disk:
    """The room of a disk: writes fail with an error for as long as there is one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: int | None = None
        self._write = os.pwrite
        monkeypatch.setattr("os.pwrite", self.pwrite)

    def pwrite(self, descriptor: int, content: bytes, offset: int) -> int:
        if self.error is None:
            return self._write(descriptor, content, offset)
        self._write(descriptor, content[:7], offset)  # a part of it still fits
        raise OSError(self.error, os.strerror(self.error))


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_after_a_while_without_room_recording_goes_on_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: int
) -> None:
    disk = Disk(monkeypatch)
    recorder = Recorder(tmp_path / "a.jsonl", file_header())
    for seq in range(30):
        disk.error = error if 10 <= seq < 20 else None
        recorder.send(estimate_at(0.04 * seq, seq=seq))
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "recording goes on after" in caplog.text
    assert "10 messages are missing" in caplog.text
    recording = read_recording(tmp_path / "a.jsonl")
    assert [message.seq for message in recording] == [*range(10), *range(20, 30)]  # type: ignore[union-attr]
    assert recording.complaint is None
    with pytest.raises(RecordingError, match=r"a\.jsonl: lacks 10 messages"):
        recorder.close()
    recorder.close()


def test_a_disk_without_room_at_the_start_may_have_room_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(monkeypatch).error = errno.ENOSPC
    with pytest.raises(RecordingError, match="No space left on device") as full:
        Recorder(tmp_path / "a.jsonl", file_header())
    assert full.value.transient
    assert list(tmp_path.iterdir()) == []


def take_away(path: Path) -> None:
    path.unlink()


def take_its_folder_away(path: Path) -> None:
    shutil.rmtree(path.parent)


def put_another_in_its_place(path: Path) -> None:
    path.with_name("other").write_text("another file")
    path.with_name("other").replace(path)


@pytest.mark.parametrize("happens", [take_away, take_its_folder_away, put_another_in_its_place])
@pytest.mark.parametrize("to_the_end", [False, True])
def test_a_file_that_is_gone_while_it_is_recorded_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Path], None], to_the_end: bool
) -> None:
    path = tmp_path / "sessions" / "a.jsonl"
    path.parent.mkdir()
    recorder = Recorder(path, file_header())
    recorder.send(estimate_at(0.0))
    happens(path)
    if not to_the_end:
        monkeypatch.setattr("streamaffect.sinks.recorder.SYNC_S", 0.0)
        with pytest.raises(RecordingError, match="was removed or replaced while it was recorded"):
            recorder.idle()
    with pytest.raises(RecordingError, match="was removed or replaced while it was recorded"):
        recorder.close()


def test_a_file_that_is_moved_is_recorded_to_its_end_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streamaffect.sinks.recorder.SYNC_S", 0.0)
    recorder = Recorder(tmp_path / "a.jsonl", file_header())
    (tmp_path / "a.jsonl").rename(tmp_path / "b.jsonl")
    for seq in range(3):
        recorder.send(estimate_at(0.0, seq=seq))
    with pytest.raises(RecordingError, match=r"a\.jsonl: was moved while it was recorded"):
        recorder.close()
    assert caplog.text.count("recording goes on in the moved file") == 1
    assert len(list(read_recording(tmp_path / "b.jsonl"))) == 3


def test_a_recording_is_readable_by_its_owner_alone_whatever_it_replaces(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with closing(Recorder(path, file_header(), overwrite=True)) as recorder:
        recorder.send(estimate_at(0.0))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_no_recording_is_never_replaced_by_one(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42")
    with pytest.raises(RecordingError, match="is no recording, and is not replaced by one"):
        Recorder(tmp_path / "a.mp4", file_header(), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    (tmp_path / "empty.jsonl").touch()
    Recorder(tmp_path / "empty.jsonl", file_header(), overwrite=True).close()


def test_what_the_run_reads_is_never_replaced(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0)])
    other_name = tmp_path / "b.jsonl"
    other_name.hardlink_to(path)
    for name in (path, other_name):
        with pytest.raises(RecordingError, match="is what is being read"):
            Recorder(name, file_header(), overwrite=True, inputs=[path])
    assert list(read_recording(path)) == [estimate_at(0.0)]


def test_the_recording_of_another_run_is_not_replaced_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    first = Recorder(path, file_header())
    first.send(estimate_at(0.0))
    with pytest.raises(RecordingError, match="another run is writing it"):
        Recorder(path, file_header(), overwrite=True)
    first.close()
    second = Recorder(path, file_header(), overwrite=True)
    third = Recorder(path, file_header(), overwrite=True)
    second.send(estimate_at(1.0))
    with pytest.raises(RecordingError, match="another run has begun to write it"):
        third.send(estimate_at(2.0))
    with pytest.raises(RecordingError, match="another run has begun to write it"):
        third.close()
    second.close()
    assert [found.name for found in tmp_path.iterdir()] == ["a.jsonl"]
    assert list(read_recording(path)) == [estimate_at(1.0)]


def test_what_a_link_points_to_is_not_written(tmp_path: Path) -> None:
    target = record(tmp_path / "a.jsonl", [estimate_at(0.0)])
    for to in (target, tmp_path / "nothing.jsonl"):
        link = tmp_path / "link.jsonl"
        link.symlink_to(to)
        for overwrite in (False, True):
            with pytest.raises(RecordingError, match="is a symbolic link"):
                Recorder(link, file_header(), overwrite=overwrite)
        link.unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_what_a_killed_run_has_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0)])
    (tmp_path / ".a.jsonl.1.part").write_text("dead")
    alive = Recorder(path, file_header(), overwrite=True)
    assert len(list(tmp_path.iterdir())) == 2
    assert not (tmp_path / ".a.jsonl.1.part").exists()
    Recorder(path, file_header(), overwrite=True).close()  # which leaves alone what is alive
    alive.close()
    assert list(tmp_path.iterdir()) == [path]


def test_the_recorder_is_called_while_nothing_comes_so_that_it_can_sync(tmp_path: Path) -> None:
    with closing(Recorder(tmp_path / "a.jsonl", file_header())) as recorder:
        assert isinstance(recorder, IdlingSink)
        assert recorder.idle_s <= 1.0
