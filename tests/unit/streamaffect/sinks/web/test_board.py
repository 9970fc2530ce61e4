"""What the page shows as it stands, and what a reader that asks seldom gets."""

import json
from typing import Any

import pytest

from streamaffect.clock import monotonic_ns
from streamaffect.messages import Event, Message
from streamaffect.sinks.web.board import EVENTS_AT_FIRST, STALE_NS, Board
from streamaffect.types import Box
from tests.support.recordings import health_of, live_estimate_at, meta_of, voice_at


def put(board: Board, *messages: Message) -> None:
    for message in messages:
        board.put(message)


def read(payloads: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in payloads]


def event(name: Any, **fields: Any) -> Event:
    return Event(stream="webcam", t_ns=1, event=name, **fields)


def test_a_reader_gets_what_is_new_once_and_of_each_face_the_newest_alone() -> None:
    board = Board()
    put(board, *(live_estimate_at(i / 30, seq=i, track=i % 2) for i in range(60)))
    version, first = board.since(0)
    assert sorted(one["seq"] for one in read(first)) == [58, 59]
    assert board.since(version) == (version, [])
    put(board, live_estimate_at(2.0, seq=60, track=1))
    assert [one["seq"] for one in read(board.since(version)[1])] == [60]


def test_what_is_known_of_a_stream_stands_first_and_events_last() -> None:
    board = Board()
    heard = voice_at(0, stream="webcam")
    put(board, heard, live_estimate_at(0), event("marker", label="go"), health_of("webcam"))
    put(board, meta_of("webcam", live=True), heard)
    assert [one["kind"] for one in read(board.since(0)[1])] == ["meta", "health", "affect", "voice", "event"]


def test_no_event_is_lost_to_a_reader_that_keeps_up_and_a_new_one_gets_the_last_few() -> None:
    board = Board()
    put(board, event("marker", label="0"))
    version, _ = board.since(0)
    put(board, *(event("marker", label=str(i)) for i in range(1, 1001)))
    assert [one["label"] for one in read(board.since(version)[1])] == [str(i) for i in range(1, 1001)]
    assert next(one["label"] for one in read(board.since(0)[1])) == str(1001 - EVENTS_AT_FIRST)


def test_refined_estimates_are_left_out() -> None:
    board = Board()
    put(board, live_estimate_at(0, seq=0), live_estimate_at(0, seq=1, refines=0))
    assert [one["seq"] for one in read(board.estimates())] == [0]


def test_a_face_that_is_lost_and_a_stream_that_is_removed_are_gone() -> None:
    board = Board()
    put(board, meta_of("webcam", live=True), live_estimate_at(0, track=1), live_estimate_at(0, track=2))
    put(board, event("track_lost", track=1))
    assert [one["track"] for one in read(board.estimates())] == [2]
    put(board, event("stream_removed"))
    assert board.estimates() == []
    assert board.streams() == []


def test_a_face_of_which_nothing_is_heard_is_not_shown_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    put(board, live_estimate_at(0))
    assert len(board.estimates()) == 1
    later_ns = monotonic_ns() + STALE_NS
    monkeypatch.setattr("streamaffect.sinks.web.board.monotonic_ns", lambda: later_ns)
    assert board.estimates() == []


def test_the_largest_face_comes_first_and_one_stream_or_face_can_be_asked_for() -> None:
    board = Board()
    put(
        board,
        live_estimate_at(0, track=1, box=Box(0, 0, 0.1, 0.1)),
        live_estimate_at(0, track=2, box=Box(0, 0, 0.3, 0.3)),
    )
    put(board, live_estimate_at(0, track=1, stream="other", box=Box(0, 0, 0.2, 0.2)))
    found = [(one["stream"], one["track"]) for one in read(board.estimates())]
    assert found == [("webcam", 2), ("other", 1), ("webcam", 1)]
    assert [one["track"] for one in read(board.estimates(stream="webcam", track=1))] == [1]
    assert {one["stream"] for one in read(board.since(0, stream="other")[1])} == {"other"}


def test_a_live_estimate_says_when_it_was_published() -> None:
    board = Board()
    put(board, live_estimate_at(0, t_publish_ns=0))
    (one,) = read(board.estimates())
    assert one["t_publish_ns"] > 0
    assert "publish" in one["latency_ms"]
