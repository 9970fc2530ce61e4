"""Places for faces: the first that is free, for as long as the face is followed."""

import pytest

from streamaffect.messages import Event
from streamaffect.sinks.outlets.slots import Slots
from tests.support.recordings import estimate_at


def lost(track: int, stream: str = "clip") -> Event:
    return Event(stream=stream, t_ns=0, event="track_lost", track=track)


def test_a_face_keeps_its_place_and_a_new_one_takes_the_first_that_is_free() -> None:
    slots = Slots(2, setting="osc.slots")
    assert [slots.of(estimate_at(0, track=track)) for track in (7, 9, 7)] == [1, 2, 1]
    assert slots.leave(lost(7)) == [1]
    assert [slots.of(estimate_at(0, track=track)) for track in (9, 12)] == [2, 1]


def test_each_stream_has_its_own_places_and_its_end_frees_them_all() -> None:
    slots = Slots(2, setting="osc.slots")
    for stream in ("a", "b"):
        assert [slots.of(estimate_at(0, stream=stream, track=track)) for track in (1, 2)] == [1, 2]
    assert slots.leave(Event(stream="a", t_ns=0, event="source_ended")) == [1, 2]
    assert slots.of(estimate_at(0, stream="a", track=3)) == 1
    assert slots.of(estimate_at(0, stream="b", track=3)) is None


def test_a_face_without_a_place_is_told_once_with_the_setting_that_helps(caplog: pytest.LogCaptureFixture) -> None:
    slots = Slots(1, setting="lsl.slots")
    slots.of(estimate_at(0, track=1))
    assert [slots.of(estimate_at(0, track=track)) for track in (2, 2, 3)] == [None] * 3
    assert caplog.text.count("lsl.slots = 1") == 1
    assert slots.leave(lost(2)) == []
