"""Recordings: whatever has happened to the file, what is whole in it is read, and the rest is told."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.feed import wire
from streamaffect.messages import Message
from streamaffect.recordings.header import encode_header
from streamaffect.recordings.reading import read_recording
from tests.fuzz.byte_parsers import check_recording
from tests.fuzz.effort import effort
from tests.fuzz.mutation import BAD_WORDS, json_mutated, mutated
from tests.support.recordings import estimate_at, file_header, live_estimate_at, live_header, messages

HEADERS = [
    encode_header(file_header()),
    encode_header(live_header("webcam")),
    encode_header(file_header("clip", "übung")),
]
LINES = [wire.encode(estimate_at(number * 0.04, seq=number)) for number in range(6)]
LIVE_LINES = [wire.encode(live_estimate_at(number * 0.04, seq=number)) for number in range(6)]
WORDS = [*BAD_WORDS, b"\0" * 512, b"\n\n", b'{"kind":"recording"', b'{"v":1,"kind":"later"}\n', LINES[3] + b"\n"]


def file_of(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fuzzed.jsonl"


@effort
@given(mutation=st.sampled_from([file_of(HEADERS[0], *LINES), file_of(HEADERS[1], *LIVE_LINES)]).flatmap(
    lambda good: mutated(good, words=WORDS)
))  # fmt: skip
def test_a_damaged_recording_is_read_to_its_end_or_refused_by_its_name(file: Path, mutation: bytes) -> None:
    check_recording(file, mutation)


@effort
@given(data=st.data(), header=st.sampled_from(HEADERS))
def test_a_header_with_one_wrong_value_is_read_or_refused(file: Path, data: st.DataObject, header: bytes) -> None:
    changed = msgspec.json.encode(data.draw(json_mutated(msgspec.json.decode(header))))
    check_recording(file, file_of(changed, *LINES))


@effort
@given(cut=st.integers(0, 4000))
def test_of_a_recording_that_was_cut_every_whole_line_is_read(file: Path, cut: int) -> None:
    whole = file_of(HEADERS[0], *LINES)
    data = whole[: len(HEADERS[0]) + 1 + cut]
    complete = [line for line in LINES if line in data]
    assert check_recording(file, data) == len(complete)
    assert read_recording(file).header == file_header()


@effort
@given(order=st.lists(st.sampled_from([*LINES, b"", b"\0" * 9, b"{", b'{"v":1,"kind":"later"}']), max_size=12))
def test_lines_that_are_whole_are_read_wherever_damaged_ones_stand(file: Path, order: list[bytes]) -> None:
    assert check_recording(file, file_of(HEADERS[0], *order)) == sum(line in LINES for line in order)


@effort
@given(messages)
def test_what_was_recorded_is_read_in_its_order(file: Path, recorded: list[Message]) -> None:
    file.write_bytes(file_of(HEADERS[2], *map(wire.encode, recorded)))
    recording = read_recording(file)
    assert list(recording) == recorded
    assert recording.broken == set()
    assert not recording.torn


@effort
@given(damage=st.sampled_from(LINES).flatmap(lambda line: mutated(line, words=WORDS)), at=st.integers(0, 6))
def test_a_damaged_line_costs_no_other_line(file: Path, damage: bytes, at: int) -> None:
    lines = [*LINES[:at], damage, *LINES[at:]]
    data = file_of(HEADERS[0], *lines)
    if b'{"kind":"recording"' in damage:
        return  # a second recording ends the first
    assert check_recording(file, data) >= len(LINES)
