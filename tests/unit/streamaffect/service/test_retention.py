"""Old recordings are removed; whatever is no recording of ours, too young, linked, read or written stays."""

import fcntl
import logging
import os
import time
from pathlib import Path

import pytest

from streamaffect.service.retention import DAY_S, remove_old

RECORDING = b'{"kind":"recording","v":1}\n'


def old_file(path: Path, content: bytes = RECORDING, *, days: float = 40.0) -> Path:
    path.write_bytes(content)
    at_s = time.time() - days * DAY_S
    os.utime(path, (at_s, at_s))
    return path


def test_recordings_that_are_older_go_and_each_is_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old, young = old_file(tmp_path / "old.jsonl"), old_file(tmp_path / "young.jsonl", days=29.0)
    with caplog.at_level(logging.WARNING):
        assert remove_old(tmp_path, 30.0) == [old]
    assert not old.exists()
    assert young.exists()
    assert f"{old}: removed: recorded 40.0 days ago (--keep-days 30)" in caplog.text


@pytest.mark.parametrize(
    "content", [b"", b'{"kind":"affect"}\n', b"notes on participant 7\n", b' {"kind":"recording"}']
)
def test_what_does_not_begin_as_a_recording_stays_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    path = old_file(tmp_path / "old.jsonl", content)
    assert remove_old(tmp_path, 30.0) == []
    assert path.read_bytes() == content


def test_links_folders_and_what_lies_in_them_stay(tmp_path: Path) -> None:
    elsewhere, inner = tmp_path / "elsewhere", tmp_path / "folder" / "inner"
    elsewhere.mkdir()
    inner.mkdir(parents=True)
    target, nested = old_file(elsewhere / "kept.jsonl"), old_file(inner / "nested.jsonl")
    (tmp_path / "folder" / "link.jsonl").symlink_to(target)
    os.mkfifo(tmp_path / "folder" / "pipe.jsonl")
    assert remove_old(tmp_path / "folder", 0.001) == []
    assert target.exists()
    assert nested.exists()


def test_a_recording_that_another_run_writes_or_this_one_reads_stays(tmp_path: Path) -> None:
    written, read = old_file(tmp_path / "written.jsonl"), old_file(tmp_path / "read.jsonl")
    with written.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert remove_old(tmp_path, 30.0, spared=[read]) == []
    assert remove_old(tmp_path, 30.0) == [read, written]


def test_a_folder_that_is_not_there_is_said_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert remove_old(tmp_path / "none", 30.0) == []
    assert "cannot be looked for (No such file or directory)" in caplog.text
