import msgspec
import pytest

from streamaffect.feed.state import MAX_TRACKS, FeedState
from streamaffect.messages import Event
from tests.support.recordings import START_NS, estimate_at, health_of, meta_of, voice_at

META = meta_of("clip", live=False)


@pytest.fixture
def state() -> FeedState:
    return FeedState()


def live(state: FeedState, *seqs: int, stream: str = "clip", track: int = 1) -> None:
    for seq in seqs:
        assert state.accept(estimate_at(0.0, stream=stream, track=track, seq=seq), repeat=False)


def test_gaps_are_counted_per_stream_over_all_tracks(state: FeedState) -> None:
    live(state, 0, 1)
    live(state, 2, track=2)
    live(state, 5)
    live(state, 100, stream="other")
    live(state, 102, stream="other")
    assert state.lost == 2 + 1


def test_the_first_estimate_opens_no_gap(state: FeedState) -> None:
    live(state, 1000)
    assert state.lost == 0


def test_repeats_open_no_gap(state: FeedState) -> None:
    assert state.accept(estimate_at(0.0, track=1, seq=3), repeat=True)
    assert state.accept(estimate_at(0.0, track=2, seq=7), repeat=True)
    live(state, 9)
    assert state.lost == 0


def test_a_publisher_that_starts_anew_loses_nothing_and_its_old_tracks_are_gone(state: FeedState) -> None:
    live(state, 50, 51, track=1)
    live(state, 0, 1, track=8)
    assert state.lost == 0
    assert [estimate.track for estimate in state.estimates(stream=None, track=None)] == [8]


def test_another_meta_message_begins_another_run(state: FeedState) -> None:
    state.accept(META, repeat=False)
    live(state, 3)
    assert state.accept(msgspec.structs.replace(META, t_ns=META.t_ns + 1), repeat=True)
    live(state, 500)
    assert state.lost == 0


def test_the_first_meta_message_forgets_nothing(state: FeedState) -> None:
    live(state, 3)
    state.accept(META, repeat=True)
    live(state, 5)
    assert state.lost == 1


def test_a_repeat_of_what_was_here_is_refused_and_of_anything_newer_is_taken(state: FeedState) -> None:
    live(state, 3)
    state.accept(health_of("clip", t_ns=START_NS), repeat=False)
    state.accept(META, repeat=False)
    assert not state.accept(estimate_at(0.0, track=1, seq=3), repeat=True)
    assert not state.accept(health_of("clip", t_ns=START_NS), repeat=True)
    assert not state.accept(META, repeat=True)
    assert state.accept(estimate_at(0.0, track=1, seq=4), repeat=True)
    assert state.accept(health_of("clip", t_ns=START_NS + 1), repeat=True)


def test_a_track_that_is_lost_has_no_newest_estimate(state: FeedState) -> None:
    live(state, 0, track=1)
    live(state, 1, track=2)
    state.accept(Event(stream="clip", t_ns=0, event="track_lost", track=1), repeat=False)
    assert [estimate.track for estimate in state.estimates(stream=None, track=None)] == [2]


def test_memory_stays_bounded_when_the_loss_of_tracks_goes_unheard(state: FeedState) -> None:
    for track in range(MAX_TRACKS + 5):
        live(state, track, track=track)
    tracks = [estimate.track for estimate in state.estimates(stream=None, track=None)]
    assert tracks == list(range(MAX_TRACKS + 4, 4, -1))


def test_health_and_meta_are_those_of_the_first_stream_unless_one_is_named(state: FeedState) -> None:
    assert state.health(None) is None
    for stream in ("left", "right"):
        state.accept(health_of(stream), repeat=False)
        state.accept(meta_of(stream, live=True), repeat=False)
    first, right = state.health(None), state.meta("right")
    assert first is not None
    assert right is not None
    assert (first.stream, right.stream) == ("left", "right")
    assert state.meta("centre") is None


def test_the_newest_voice_is_known_until_the_stream_begins_anew(state: FeedState) -> None:
    state.accept(META, repeat=False)
    assert state.voice(None) is None
    assert state.accept(voice_at(1.0), repeat=False)
    assert not state.accept(voice_at(1.0), repeat=True)
    assert state.accept(voice_at(1.5, stream="other"), repeat=True)
    found = [state.voice(name) for name in (None, "clip", "other", "third")]
    assert [None if one is None else one.pts_s for one in found] == [1.0, 1.0, 1.5, None]
    state.accept(msgspec.structs.replace(META, t_ns=META.t_ns + 1), repeat=False)
    assert state.voice("clip") is None
