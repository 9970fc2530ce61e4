"""Playing a recording back by its own clock."""

import threading
from pathlib import Path

import pytest

from streamaffect.errors import RecordingError
from streamaffect.messages import Event, Message
from streamaffect.recordings.header import RecordingHeader
from streamaffect.recordings.replay import Replay, published_ns
from tests.support.recordings import (
    START_NS,
    estimate_at,
    file_header,
    health_of,
    live_estimate_at,
    live_header,
    record,
    refined_clip,
    voice_at,
)


class RecordedWaits(threading.Event):
    """A stop signal that passes the time of every wait at once, and notes how long it would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits_s.append(timeout or 0.0)
        return self.is_set()


class HurriedReplay(Replay):
    """Plays without waiting, and knows how long it would have waited."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._stop = self.clock = RecordedWaits()


def played(path: Path) -> list[Message]:
    return list(HurriedReplay(path).messages())


def test_messages_come_back_unchanged_and_in_their_order(tmp_path: Path) -> None:
    sent: list[Message] = [
        live_estimate_at(0.0, seq=0),
        health_of("webcam"),
        live_estimate_at(0.04, seq=4),
        Event(stream="webcam", t_ns=START_NS + 10**9, event="source_lost"),
    ]
    assert played(record(tmp_path / "a.jsonl", sent, live_header())) == sent


def test_each_message_waits_for_the_time_at_which_it_was_published(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [live_estimate_at(time_s) for time_s in (0.0, 100.0, 300.0)], live_header())
    replay = HurriedReplay(path)
    list(replay.messages())
    assert replay.clock.waits_s == pytest.approx([100.0, 300.0], abs=20.0)


def test_a_refined_estimate_does_not_wait_for_a_time_that_is_over(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", refined_clip())
    replay = HurriedReplay(path)
    assert list(replay.messages()) == list(refined_clip())
    assert min(replay.clock.waits_s) == 0.0


def test_a_stop_ends_a_wait_at_once(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0), estimate_at(3600.0)])
    replay = Replay(path)
    messages = replay.messages()
    assert next(messages) == estimate_at(0.0)
    threading.Timer(0.05, replay.stop).start()
    assert next(messages, None) is None


def test_a_recording_without_messages_ends_at_once(tmp_path: Path) -> None:
    assert played(record(tmp_path / "a.jsonl", [])) == []


def test_files_that_were_recorded_one_after_the_other_play_side_by_side(tmp_path: Path) -> None:
    one = [estimate_at(time_s, stream="one", seq=i) for i, time_s in enumerate((0.0, 1.0, 2.0))]
    two = [estimate_at(time_s, stream="two", seq=i) for i, time_s in enumerate((0.5, 1.5))]
    messages = played(record(tmp_path / "a.jsonl", [*one, *two], file_header("one", "two")))
    assert [published_ns(message) / 1e9 for message in messages] == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_recording_of_a_replay_equals_the_recording(tmp_path: Path) -> None:
    original = record(tmp_path / "a.jsonl", [live_estimate_at(0.0), health_of("webcam")], live_header())
    replay = HurriedReplay(original)
    copy = record(tmp_path / "b.jsonl", replay.messages(), RecordingHeader.of(replay.metas, options={}))
    assert copy.read_bytes() == original.read_bytes()


def test_a_torn_last_line_ends_the_replay_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0), estimate_at(0.04)])
    path.write_bytes(path.read_bytes()[:-20])
    assert played(path) == [estimate_at(0.0)]
    assert "last line is torn" in caplog.text


def test_a_damaged_line_is_passed_over_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0, seq=0), estimate_at(0.04, seq=1), estimate_at(0.08, seq=2)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"oops\n", lines[3]]))
    assert played(path) == [estimate_at(0.0, seq=0), estimate_at(0.08, seq=2)]
    assert "1 line is damaged and left out, the first is line 3" in caplog.text


@pytest.mark.parametrize("name", ["a/b", "two words", "x" * 65])
def test_a_stream_that_no_subscriber_could_ask_for_is_refused_at_the_start(tmp_path: Path, name: str) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0)])
    path.write_bytes(path.read_bytes().replace(b'"stream":"clip"', f'"stream":"{name}"'.encode()))
    with pytest.raises(RecordingError, match="line 1: stream name"):
        Replay(path)


def test_the_meta_messages_of_a_replay_are_those_of_the_recording(tmp_path: Path) -> None:
    replay = Replay(record(tmp_path / "a.jsonl", [], live_header("door", "hall")))
    assert [(meta.stream, meta.live) for meta in replay.metas] == [("door", True), ("hall", True)]


def test_what_is_no_recording_is_refused_before_anything_plays(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42")
    with pytest.raises(RecordingError, match="is not a streamaffect recording"):
        Replay(tmp_path / "a.mp4")


def test_of_two_recordings_in_one_file_the_one_that_is_named_is_played(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [live_estimate_at(0.0)], live_header("door"))
    path.write_bytes(path.read_bytes() + record(tmp_path / "b.jsonl", [live_estimate_at(9.0)]).read_bytes())
    with pytest.raises(RecordingError, match="2 recordings were put together"):
        Replay(path)
    assert list(Replay(f"{path}#part=2").messages()) == [live_estimate_at(9.0)]


def test_what_was_heard_plays_at_its_time(tmp_path: Path) -> None:
    messages: list[Message] = [estimate_at(0.0), voice_at(0.5), estimate_at(1.0, seq=1)]
    replay = HurriedReplay(record(tmp_path / "a.jsonl", messages))
    assert list(replay.messages()) == messages
    assert [published_ns(message) for message in messages] == [0, 500_000_000, 1_000_000_000]
