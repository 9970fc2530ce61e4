"""What the reader says about files that are not as they should be."""

import os
from pathlib import Path

import pytest

from streamaffect.errors import RecordingError
from streamaffect.feed.wire import encode
from streamaffect.recordings.header import encode_header
from streamaffect.recordings.reading import read_recording
from tests.support.recordings import estimate_at, file_header, live_header

HEADER = encode_header(file_header()) + b"\n"
LIVE_HEADER = encode_header(live_header()) + b"\n"
LINE = encode(estimate_at(0.0)) + b"\n"


def written(folder: Path, content: bytes) -> Path:
    path = folder / "session.jsonl"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty; give a file that was made with --record"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(100), "is not a streamaffect recording"),
        (b"frame,valence\n1,0.5\n", "is not a streamaffect recording"),
        (b'{"a": 1}\n', "is not a streamaffect recording"),
        (b"[" * 100_000, "is not a streamaffect recording"),
        (LINE, "its first line is 'affect'"),
        (HEADER[:50], "is not a streamaffect recording"),
        (HEADER.replace(b'"v":1', b'"v":2'), "version 2, schema 1; this release reads version 1"),
        (HEADER.replace(b'"schema":1', b'"schema":7'), "install a newer streamaffect"),
        (LIVE_HEADER.replace(b'"created":"2', b'"created":"x'), "line 1: Invalid isoformat string"),
        (HEADER.replace(b'"model"', b'"modl"'), "line 1: Object missing required field `model`"),
    ],
)
def test_a_file_without_a_valid_header_is_refused_with_one_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(RecordingError) as error:
        read_recording(written(tmp_path, content))
    assert complaint in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'session.jsonl'}: ")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"nothing\.jsonl: cannot be read \(No such file"):
        read_recording(tmp_path / "nothing.jsonl")


def test_a_folder_is_not_a_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="Is a directory"):
        read_recording(tmp_path)


@pytest.mark.parametrize(
    "broken",
    [
        b"{}\n",
        b"garbage\n",
        LINE[:-10] + b"\n",
        b"\xff\xfe\n",
        bytes(4096) + b"\n",
        LINE[:40] + LINE,
        b"x" * (3 << 20) + b"\n",
    ],
)
def test_a_damaged_line_in_the_middle_is_left_out_and_told_by_its_number(tmp_path: Path, broken: bytes) -> None:
    later = encode(estimate_at(0.08, seq=2)) + b"\n"
    recording = read_recording(written(tmp_path, HEADER + LINE + broken + later))
    assert list(recording) == [estimate_at(0.0), estimate_at(0.08, seq=2)]
    assert recording.complaint == (
        "1 line is damaged and left out, the first is line 3, and 1 estimates are missing in all"
    )
    assert list(recording) == [estimate_at(0.0), estimate_at(0.08, seq=2)]
    assert (recording.broken, recording.torn) == ({3}, False)


def test_an_empty_line_is_no_loss(tmp_path: Path) -> None:
    recording = read_recording(written(tmp_path, HEADER + b"\n" + LINE + b" \r\n" + LINE))
    assert len(list(recording)) == 2
    assert recording.complaint is None


def test_what_stands_behind_a_hole_in_a_line_is_read_and_the_hole_is_told(tmp_path: Path) -> None:
    recording = read_recording(written(tmp_path, HEADER + bytes(512) + LINE))
    assert list(recording) == [estimate_at(0.0)]
    assert recording.broken == {2}


@pytest.mark.parametrize("before", [b"", LINE, LINE[:-20]])
def test_reading_ends_where_a_second_recording_begins_and_says_so(tmp_path: Path, before: bytes) -> None:
    recording = read_recording(written(tmp_path, HEADER + before + HEADER + LINE))
    assert len(list(recording)) == (before == LINE)
    assert recording.second == (3 if before == LINE else 2)
    assert f"a second recording begins in line {recording.second} and is left out" in str(recording.complaint)


def test_a_header_behind_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert list(read_recording(written(tmp_path, b"\xef\xbb\xbf" + HEADER + LINE))) == [estimate_at(0.0)]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordingError, match="no regular file"):
        read_recording(tmp_path / "pipe")


def test_a_name_that_no_file_can_have_is_an_error_like_any_other() -> None:
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(RecordingError, match="cannot be read"):
            read_recording(name)


@pytest.mark.parametrize("rest", [LINE[:1], LINE[:-2], b"\x00" * 4096, '{"stream":"ü'.encode()[:-1]])
def test_a_torn_last_line_is_ignored_and_reported(tmp_path: Path, rest: bytes) -> None:
    recording = read_recording(written(tmp_path, HEADER + LINE + rest))
    assert list(recording) == [estimate_at(0.0)]
    assert recording.torn


def test_a_last_line_that_lacks_only_its_newline_counts(tmp_path: Path) -> None:
    recording = read_recording(written(tmp_path, HEADER + LINE + LINE.rstrip()))
    assert len(list(recording)) == 2
    assert not recording.torn


def test_what_a_later_release_adds_is_ignored(tmp_path: Path) -> None:
    header = HEADER.replace(b'"v":1', b'"v":1,"room":"lab"')
    new_field = LINE.replace(b'"seq"', b'"pupil_mm":3.1,"seq"')
    new_kind = b'{"kind":"gaze","v":1,"stream":"clip"}\n'
    assert list(read_recording(written(tmp_path, header + new_kind + new_field))) == [estimate_at(0.0)]
