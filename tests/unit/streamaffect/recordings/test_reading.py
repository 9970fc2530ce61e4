"""What the reader says about files that are not as they should be."""

import os
from pathlib import Path

import pytest

from streamaffect.errors import RecordingError
from streamaffect.feed.wire import encode
from streamaffect.recordings.header import encode_header
from streamaffect.recordings.reading import read_recording
from tests.support.recordings import estimate_at, file_header, live_estimate_at, live_header

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


@pytest.mark.parametrize(
    ("between", "second"),
    [
        (b"", LIVE_HEADER),
        (LINE, LIVE_HEADER),
        (LINE[:-20], LIVE_HEADER),
        (LINE + bytes(512), LIVE_HEADER),
        (LINE + b"\xef\xbb\xbf", LIVE_HEADER),
        (LINE, LIVE_HEADER.replace(b'"kind":"recording","v":1', b'"v": 1, "kind": "recording"')),
    ],
    ids=["at once", "behind a line", "glued to a torn line", "behind a hole", "of an editor", "in another order"],
)
def test_two_recordings_in_one_file_are_refused_until_one_is_named(
    tmp_path: Path, between: bytes, second: bytes
) -> None:
    later = encode(live_estimate_at(3.0)) + b"\n"
    path = written(tmp_path, HEADER + between + second + later)
    line = 2 + between.count(b"\n")
    with pytest.raises(RecordingError) as error:
        read_recording(path)
    assert str(error.value) == (
        f"{path}: 2 recordings were put together in it, and their times and faces start anew (line 1: clip, read from "
        f"files; line {line}: webcam, {live_header().created}); say which one is meant: {path}#part=1 to {path}#part=2"
    )
    first, other = (read_recording(f"{path}#part={number}") for number in (1, 2))
    assert list(first) == [estimate_at(0.0)] * between.count(b"\n")
    assert (list(other), other.complaint) == ([live_estimate_at(3.0)], None)
    assert (other.header, other.bytes_read, other.path) == (live_header(), path.stat().st_size, path)
    assert list(read_recording(other.named)) == list(other)


def test_a_part_is_as_complete_as_its_recording_was(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + LINE + LINE[:-20] + HEADER + LINE + b"garbage\n" + LINE)
    first, second = (read_recording(f"{path}#part={number}") for number in (1, 2))
    assert [len(list(first)), len(list(second))] == [1, 2]
    assert (first.torn, first.broken) == (True, set())
    assert (second.torn, second.broken) == (False, {5})


@pytest.mark.parametrize(
    ("content", "part", "complaint"),
    [
        (HEADER + LINE, 2, "holds one recording; leave #part=2 away"),
        (HEADER * 2, 3, "there is no such part of 2"),
        (HEADER * 2, 0, "there is no such part of 2"),
        (HEADER * 5, None, "5 recordings were put together"),
        (HEADER + HEADER[:60] + b"\n" + LINE, None, "line 2: its header is damaged"),
        (HEADER + HEADER[:60] + b"\n" + LINE, 2, "line 2 is no header"),
    ],
)
def test_a_part_that_cannot_be_read_is_refused_with_one_line(
    tmp_path: Path, content: bytes, part: int | None, complaint: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(RecordingError) as error:
        read_recording(path if part is None else f"{path}#part={part}")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_whose_own_name_ends_like_a_part_is_meant_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + LINE).rename(tmp_path / "odd.jsonl#part=2")
    assert list(read_recording(path)) == [estimate_at(0.0)]


def test_a_recording_that_is_put_behind_another_while_that_is_read_is_not_taken_for_it(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + LINE)
    recording = read_recording(path)
    path.write_bytes(path.read_bytes() + LIVE_HEADER)
    with pytest.raises(RecordingError, match="line 3: another recording was put behind this one"):
        list(recording)


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
