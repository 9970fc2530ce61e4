"""Recorder and reader against each other."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamaffect.messages import Event, HeadMeta, Message
from streamaffect.recordings.header import RecordingHeader, encode_header
from streamaffect.recordings.reading import read_recording
from tests.support.recordings import (
    estimate_at,
    file_header,
    health_of,
    live_estimate_at,
    live_header,
    messages,
    meta_of,
    record,
)


@given(sent=messages)
def test_every_estimate_and_event_is_read_as_it_was_sent(sent: list[Message]) -> None:
    with TemporaryDirectory() as folder:
        path = record(Path(folder, "a.jsonl"), sent)
        recording = read_recording(path)
        assert list(recording) == sent
        assert not recording.torn


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(sent=messages, data=st.data())
def test_a_file_that_is_cut_anywhere_gives_the_messages_before_the_cut(
    sent: list[Message], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        path = record(Path(folder, "a.jsonl"), sent)
        whole = path.read_bytes()
        header_bytes = whole.index(b"\n") + 1
        size = data.draw(st.integers(header_bytes, len(whole)))
        path.write_bytes(whole[:size])
        recording = read_recording(path)
        read = list(recording)
        lines = whole[header_bytes:size].count(b"\n")
        assert len(read) in (lines, lines + 1)
        assert read == sent[: len(read)]
        assert recording.torn == (len(read) == lines and not whole[:size].endswith(b"\n"))


def test_the_header_is_read_as_it_was_written(tmp_path: Path) -> None:
    header = RecordingHeader.of([meta_of("clip", live=False)], options={"realtime": False, "clip": {"period_s": 0.08}})
    assert read_recording(record(tmp_path / "a.jsonl", [], header)).header == header


def test_the_header_gives_back_the_meta_message_of_each_stream() -> None:
    originals = [meta_of("door", live=True), meta_of("hall", live=True)]
    recorded = RecordingHeader.of(originals, options={}).metas()
    assert [msgspec.structs.replace(meta, t_ns=0, engine_reason="") for meta in recorded] == [
        msgspec.structs.replace(meta, t_ns=0, engine_reason="") for meta in originals
    ]
    assert {meta.t_ns // 10**9 for meta in recorded} == {meta.t_ns // 10**9 for meta in originals}


def test_what_any_of_the_streams_declares_stands_in_the_header_once() -> None:
    silent, heard = meta_of("a", live=False), meta_of("b", live=False)
    voice = HeadMeta(name="voice", kind="voice", outputs=[])
    heard = msgspec.structs.replace(heard, heads=[*heard.heads, voice])
    assert RecordingHeader.of([silent, heard], options={}).heads == [*silent.heads, voice]


def test_equal_messages_give_equal_bytes_when_files_are_read_offline(tmp_path: Path) -> None:
    sent = [estimate_at(i * 0.04, seq=i) for i in range(20)]
    first = RecordingHeader.of([meta_of("clip", live=False)], options={"a": 1, "b": 2})
    later = RecordingHeader.of(
        [msgspec.structs.replace(meta_of("clip", live=False), t_ns=5, engine_reason="measured 3.1 ms")],
        options={"b": 2, "a": 1},
    )
    one, two = record(tmp_path / "1.jsonl", sent, first), record(tmp_path / "2.jsonl", sent, later)
    assert one.read_bytes() == two.read_bytes()


def test_only_a_live_recording_says_when_it_was_made() -> None:
    assert file_header().created is None
    assert live_header().created == "2025-11-20T17:33:20+00:00"
    assert b'"created":null' in encode_header(file_header())


def test_health_is_recorded_for_live_streams_only(tmp_path: Path) -> None:
    header = RecordingHeader.of([meta_of("webcam", live=True), meta_of("clip", live=False)], options={})
    path = record(tmp_path / "a.jsonl", [health_of("webcam"), health_of("clip")], header)
    assert list(read_recording(path)) == [health_of("webcam")]


def test_meta_messages_are_not_repeated_after_the_header(tmp_path: Path) -> None:
    sent: list[Message] = [meta_of("webcam", live=True), live_estimate_at(0.0)]
    assert list(read_recording(record(tmp_path / "a.jsonl", sent, live_header()))) == sent[1:]


def test_a_recording_can_be_read_again_from_its_start(tmp_path: Path) -> None:
    recording = read_recording(record(tmp_path / "a.jsonl", [estimate_at(0.0), estimate_at(0.04)]))
    assert list(recording) == list(recording)
    assert recording.bytes_read == recording.path.stat().st_size


def test_events_stand_between_the_estimates_where_they_happened(tmp_path: Path) -> None:
    sent: list[Message] = [
        estimate_at(0.0),
        Event(stream="clip", t_ns=1, event="track_lost", track=3),
        estimate_at(1.0),
    ]
    assert list(read_recording(record(tmp_path / "a.jsonl", sent))) == sent
