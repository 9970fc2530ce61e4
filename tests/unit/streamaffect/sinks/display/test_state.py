import msgspec

from streamaffect.messages import Event
from streamaffect.sinks.display.state import HISTORY_SAMPLES, DisplayState
from tests.support.feeder import START_NS, Feeder

SECOND_NS = 1_000_000_000
FEED = Feeder(faces=1)


def fed(feeder: Feeder, seconds: float) -> DisplayState:
    state = DisplayState()
    for time_s, message in feeder.messages(seconds):
        state.update(message, round(time_s * SECOND_NS))
    return state


def test_the_history_has_ten_samples_a_second_whatever_the_frame_rate() -> None:
    for fps in (10.0, 30.0, 120.0):
        (face,) = fed(Feeder(faces=1, fps=fps), 5.0).faces.values()
        gaps = [later.t_ns - earlier.t_ns for earlier, later in zip(face.history, list(face.history)[1:], strict=False)]
        assert min(gaps) >= 0.1 * SECOND_NS
        assert max(gaps) <= 0.14 * SECOND_NS


def test_the_history_is_bounded() -> None:
    state = DisplayState()
    for second in range(2 * HISTORY_SAMPLES):
        state.update(FEED.estimate(1, second, float(second)), second * SECOND_NS)
    assert len(state.faces["webcam", 1].history) == HISTORY_SAMPLES


def test_a_face_leaves_when_its_track_is_lost() -> None:
    state = fed(Feeder(faces=2), 1.0)
    state.update(Event(stream="webcam", t_ns=START_NS, event="track_lost", track=1), SECOND_NS)
    assert list(state.faces) == [("webcam", 2)]


def test_a_face_of_which_nothing_is_heard_is_forgotten_after_three_seconds() -> None:
    state = fed(FEED, 1.0)
    state.forget_stale(3 * SECOND_NS)
    assert len(state.faces) == 1
    state.forget_stale(5 * SECOND_NS)
    assert not state.faces


def test_no_two_faces_in_view_have_the_same_slot_and_a_free_one_is_used_again() -> None:
    state = fed(Feeder(faces=3), 1.0)
    assert [state.faces["webcam", track].slot for track in (1, 2, 3)] == [0, 1, 2]
    state.update(Event(stream="webcam", t_ns=START_NS, event="track_lost", track=2), SECOND_NS)
    state.update(FEED.estimate(9, 0, 1.0), SECOND_NS)
    assert state.faces["webcam", 9].slot == 1


def test_a_refined_estimate_does_not_replace_the_newest() -> None:
    state = fed(FEED, 1.0)
    newest = state.faces["webcam", 1].estimate
    state.update(msgspec.structs.replace(FEED.estimate(1, 99, 0.2), refines=3), SECOND_NS)
    assert state.faces["webcam", 1].estimate is newest


def test_a_stream_whose_clock_goes_back_starts_a_new_history() -> None:
    state = fed(FEED, 5.0)
    state.update(FEED.estimate(1, 0, 0.0), 6 * SECOND_NS)
    assert len(state.faces["webcam", 1].history) == 1


def test_a_lost_source_is_away_since_the_first_word_of_it_until_it_is_back() -> None:
    feeder = Feeder(faces=1, lost=(2.0, 5.0))
    assert fed(feeder, 4.5).streams["webcam"].lost_since_ns == 2 * SECOND_NS
    assert fed(feeder, 5.5).streams["webcam"].lost_since_ns is None


def test_different_faces_are_counted_once_each() -> None:
    state = fed(Feeder(faces=2), 1.0)
    state.forget_stale(60 * SECOND_NS)
    state.update(FEED.estimate(1, 0, 60.0), 60 * SECOND_NS)
    state.update(FEED.estimate(7, 0, 60.0), 60 * SECOND_NS)
    assert state.streams["webcam"].faces_seen == 3
