from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.faces.tracker import Tracker, TrackUpdate
from streamaffect.settings import TrackerSettings
from streamaffect.types import Box, Face

FRAME_S = 1 / 25


def face(x: float = 0.5, y: float = 0.5, size: float = 0.2, score: float = 0.9) -> Face:
    """A face by its centre."""
    keypoints = np.tile(np.array((x, y), np.float32), (6, 1))
    return Face(Box(x - size / 2, y - size / 2, size, size), score, keypoints)


def feed(
    tracker: Tracker, faces: list[Face], *, start_s: float, seconds: float, frame_s: float = FRAME_S
) -> list[TrackUpdate]:
    """The same faces in every frame of [start_s, start_s + seconds)."""
    times = start_s + np.arange(round(seconds / frame_s)) * frame_s
    return [tracker.update(faces, float(time)) for time in times]


def ids(update: TrackUpdate) -> list[int]:
    return [tracked.track for tracked in update.tracks]


def confirmed(*faces: Face) -> Tracker:
    """A tracker that has followed these faces from 0 to 1 s."""
    tracker = Tracker()
    updates = feed(tracker, list(faces), start_s=0.0, seconds=1.0)
    assert ids(updates[-1]) == list(range(len(faces)))
    return tracker


def all_born(updates: Iterable[TrackUpdate]) -> list[int]:
    return [track for update in updates for track in update.born]


def test_frames_without_faces_give_nothing() -> None:
    assert all(update == TrackUpdate([], [], []) for update in feed(Tracker(), [], start_s=0, seconds=1))


def test_a_face_is_not_believed_at_first_sight() -> None:
    assert Tracker().update([face()], 0.0) == TrackUpdate([], [], [])


@pytest.mark.parametrize("fps", [10, 25, 60])
def test_a_face_becomes_a_track_within_0_12_to_0_2_seconds_at_any_frame_rate(fps: int) -> None:
    updates = feed(Tracker(), [face()], start_s=0.0, seconds=1.0, frame_s=1 / fps)
    first = next(i for i, update in enumerate(updates) if update.tracks)
    assert 0.12 <= first / fps <= 0.2 + 1e-9
    assert updates[first].born == ids(updates[first]) == [0]
    assert all_born(updates) == [0]


def test_a_flicker_of_the_detector_never_becomes_a_track() -> None:
    tracker = Tracker()
    updates = [tracker.update([face()] if i % 8 == 0 else [], i * FRAME_S) for i in range(100)]
    assert not any(update.tracks or update.born or update.lost for update in updates)


def test_a_short_occlusion_keeps_the_id_and_shows_the_face_where_it_was_last_seen() -> None:
    tracker = confirmed(face())
    hidden = feed(tracker, [], start_s=1.0, seconds=0.5)
    assert all(ids(update) == [0] and not update.tracks[0].visible for update in hidden)
    assert hidden[-1].tracks[0].face.box == pytest.approx(face().box)
    back = tracker.update([face()], 1.5)
    assert ids(back) == [0]
    assert back.tracks[0].visible
    assert not back.born


def test_a_long_occlusion_loses_the_track_once_and_the_face_comes_back_under_a_new_id() -> None:
    tracker = confirmed(face())
    hidden = feed(tracker, [], start_s=1.0, seconds=1.0)
    last_seen_s = 1.0 - FRAME_S
    assert [(1.0 + i * FRAME_S - last_seen_s > 0.64) for i, update in enumerate(hidden) if update.lost == [0]] == [True]
    assert sum(len(update.lost) for update in hidden) == 1
    assert not hidden[-1].tracks
    assert ids(feed(tracker, [face()], start_s=2.0, seconds=0.5)[-1]) == [1]


def test_a_face_that_returns_after_keep_s_is_new_even_if_no_frame_came_in_between() -> None:
    tracker = confirmed(face())
    tracker.update([], 1.0)
    update = tracker.update([face()], 1.7)
    assert update.lost == [0]
    assert not update.tracks


def test_slow_video_keeps_its_tracks() -> None:
    updates = feed(Tracker(), [face()], start_s=0.0, seconds=20.0, frame_s=1.0)
    assert ids(updates[-1]) == [0]
    assert all_born(updates) == [0]


def test_after_a_long_silence_every_face_is_new() -> None:
    tracker = confirmed(face())
    update = tracker.update([face()], 10.0)
    assert update.lost == [0]
    assert not update.tracks


def test_a_moving_face_is_found_again_where_its_speed_has_taken_it() -> None:
    tracker = Tracker()
    for i in range(25):
        tracker.update([face(x=0.2 + 0.4 * i * FRAME_S, size=0.1)], i * FRAME_S)
    for i in range(25, 35):
        tracker.update([], i * FRAME_S)
    update = tracker.update([face(x=0.2 + 0.4 * 35 * FRAME_S, size=0.1)], 35 * FRAME_S)
    assert [(tracked.track, tracked.visible) for tracked in update.tracks] == [(0, True)]


def test_two_faces_that_cross_keep_their_ids_though_one_hides_the_other() -> None:
    tracker = Tracker()
    for i in range(75):
        left, right = 0.2 + 0.2 * i * FRAME_S, 0.8 - 0.2 * i * FRAME_S
        front = face(x=left, size=0.16, score=0.95)
        behind = face(x=right, y=0.54, size=0.14, score=0.9)
        is_covered = abs(left - right) < 0.08
        update = tracker.update([front] if is_covered else [behind, front], i * FRAME_S)
        if i == 20:
            ends = {t.track: "right" if t.face.box.x < 0.5 else "left" for t in update.tracks}
    assert {t.track: "right" if t.face.box.x > 0.5 else "left" for t in update.tracks} == ends
    assert all(tracked.visible for tracked in update.tracks)


def pushed_aside(tracker: Tracker, *, start_s: float) -> None:
    """Somebody walks before the face from the left: what is left of it is narrower and farther right, and then none."""
    for step in range(1, 6):
        tracker.update([face(x=0.3 + 0.05 * step, size=0.2 - 0.025 * step)], start_s + step * FRAME_S)
    feed(tracker, [], start_s=start_s + 6 * FRAME_S, seconds=0.2)


def test_a_face_that_somebody_walks_past_comes_out_where_it_was() -> None:
    tracker = confirmed(face(x=0.3))
    pushed_aside(tracker, start_s=0.96)
    found = tracker.update([face(x=0.3)], 1.44)
    assert (ids(found), found.born) == ([0], [])
    assert found.tracks[0].face.box == pytest.approx(tuple(face(x=0.3).box))  # at once, and not on the way there
    assert ids(feed(tracker, [face(x=0.3)], start_s=1.48, seconds=1.0)[-1]) == [0]


def test_where_a_face_was_longer_ago_somebody_else_comes_into_view() -> None:
    tracker = confirmed(face(x=0.3))
    for step in range(1, 26):  # walks right within a second
        tracker.update([face(x=0.3 + 0.02 * step)], 0.96 + step * FRAME_S)
    feed(tracker, [], start_s=2.0, seconds=0.2)
    assert all_born(feed(tracker, [face(x=0.3)], start_s=2.24, seconds=0.3)) == [1]


def test_two_detections_of_one_face_are_one_track() -> None:
    updates = feed(Tracker(), [face(), face(x=0.52, size=0.12, score=0.6)], start_s=0, seconds=1)
    assert ids(updates[-1]) == [0]


def test_a_face_elsewhere_does_not_inherit_the_id() -> None:
    tracker = confirmed(face(x=0.2))
    update = tracker.update([face(x=0.7)], 1.0)
    assert [(tracked.track, tracked.visible) for tracked in update.tracks] == [(0, False)]


def test_a_face_of_another_size_in_the_same_place_does_not_inherit_the_id() -> None:
    tracker = confirmed(face(size=0.1))
    assert not tracker.update([face(size=0.5)], 1.0).tracks[0].visible


def test_of_new_faces_the_largest_become_tracks_and_later_ones_wait_for_room() -> None:
    tracker = Tracker(TrackerSettings(max_faces=2))
    crowd = [face(x=0.1, size=0.1), face(x=0.4, size=0.2), face(x=0.8, size=0.15)]
    first = feed(tracker, crowd, start_s=0.0, seconds=1.0)[-1]
    assert [tracked.face.box.w for tracked in first.tracks] == pytest.approx([0.2, 0.15])
    giant = [*crowd, face(x=0.4, y=0.9, size=0.3)]
    assert ids(feed(tracker, giant, start_s=1.0, seconds=1.0)[-1]) == [0, 1]
    later = feed(tracker, giant[1::2], start_s=2.0, seconds=1.0)
    assert ids(later[-1]) == [0, 2]


def test_the_order_of_the_detections_does_not_matter() -> None:
    faces = [face(x=0.2, size=0.1, score=0.7), face(x=0.5, size=0.2, score=0.8), face(x=0.8, size=0.15, score=0.9)]
    boxes = [
        [(tracked.track, tracked.face.box) for tracked in feed(Tracker(), order, start_s=0, seconds=1)[-1].tracks]
        for order in (faces, faces[::-1])
    ]
    assert boxes[0] == boxes[1]


def test_jitter_of_box_and_keypoints_shrinks_to_less_than_half_at_rest() -> None:
    random = np.random.default_rng(3)
    noise = random.normal(0, 0.002, (300, 2))  # 1 % of the face's width
    tracker = Tracker()
    updates = [tracker.update([face(x=0.5 + dx, y=0.5 + dy)], i / 30) for i, (dx, dy) in enumerate(noise)]
    faces = [update.tracks[0].face for update in updates[60:]]
    centres = np.array([(f.box.x + f.box.w / 2, f.box.y + f.box.h / 2) for f in faces])
    noses = np.array([f.keypoints[2] for f in faces if f.keypoints is not None])
    for smooth in (centres, noses):
        assert np.all(smooth.std(axis=0) < 0.5 * noise[60:].std(axis=0))


@pytest.mark.parametrize("seed", range(3))
def test_an_irregular_frame_rate_neither_breaks_the_track_nor_makes_it_lag(seed: int) -> None:
    times = np.cumsum(np.random.default_rng(seed).uniform(0.01, 0.15, 40))
    tracker = Tracker()
    updates = [tracker.update([face(x=0.1 + 0.2 * time, size=0.15)], float(time)) for time in times]
    assert all_born(updates) == [0]
    box = updates[-1].tracks[0].face.box
    assert box.x + box.w / 2 == pytest.approx(0.1 + 0.2 * times[-1], abs=0.05 * 0.15)


def test_faces_without_keypoints_are_followed_too() -> None:
    bare = Face(Box(0.4, 0.4, 0.2, 0.2), 1.0)
    tracked = feed(Tracker(), [bare], start_s=0, seconds=1)[-1].tracks[0]
    assert tracked.face.keypoints is None
    assert tracked.face.box == pytest.approx(bare.box)


@pytest.mark.parametrize("time_s", [0.96, 0.5])
def test_time_that_stands_still_or_goes_back_is_refused(time_s: float) -> None:
    tracker = confirmed(face())
    with pytest.raises(ValueError, match="order of time"):
        tracker.update([face()], time_s)


share = st.floats(-0.2, 1.2, allow_nan=False)
any_face = st.builds(face, x=share, y=share, size=st.floats(0.0, 1.5), score=st.floats(0, 1))
frames = st.lists(st.tuples(st.floats(0.001, 3.0), st.lists(any_face, max_size=4)), max_size=40)


@given(frames)
def test_whatever_is_detected_the_books_balance(stream: list[tuple[float, list[Face]]]) -> None:
    tracker = Tracker(TrackerSettings(max_faces=3, confirm_hits=1, confirm_s=0.0))
    alive: set[int] = set()
    ever: list[int] = []
    detections, time_s = 0, 0.0
    for interval_s, faces in stream:
        time_s += interval_s
        detections += len(faces)
        update = tracker.update(faces, time_s)
        assert set(update.lost) <= alive
        alive = (alive - set(update.lost)) | set(update.born)
        ever += update.born
        assert ids(update) == sorted(alive)
        assert len(alive) <= 3
        assert all(np.isfinite(tracked.face.box).all() for tracked in update.tracks)
    assert ever == list(range(len(ever)))
    assert len(ever) <= detections


def test_tracks_that_were_set_aside_are_hidden_and_none_begins() -> None:
    tracker = confirmed(face())
    tracker.set_aside()
    updates = feed(tracker, [face()], start_s=1.0, seconds=0.4)
    assert all(not tracked.visible for update in updates for tracked in update.tracks)
    assert [ids(update) for update in updates] == [[0]] * 10
    assert all_born(updates) == []


def test_tracks_that_are_taken_back_go_on() -> None:
    tracker = confirmed(face())
    tracker.set_aside()
    feed(tracker, [face()], start_s=1.0, seconds=0.2)
    tracker.set_aside()  # again, frame by frame
    feed(tracker, [face()], start_s=1.2, seconds=0.2)
    tracker.take_back()
    update = tracker.update([face()], 1.4)
    assert [(tracked.track, tracked.visible) for tracked in update.tracks] == [(0, True)]
    assert update.born == update.lost == []


def test_after_a_new_start_the_faces_that_were_seen_meanwhile_are_tracks_at_once() -> None:
    tracker = confirmed(face())
    tracker.set_aside()
    feed(tracker, [face()], start_s=1.0, seconds=0.2)
    tracker.start_anew()
    update = tracker.update([face()], 1.2)
    assert (update.lost, update.born, ids(update)) == ([0], [1], [1])


def test_a_new_start_without_doubt_forgets_candidates_too() -> None:
    tracker = confirmed(face())
    feed(tracker, [face(), face(x=0.1)], start_s=1.0, seconds=0.1)
    tracker.start_anew()
    update = tracker.update([face()], 1.2)
    assert (update.lost, update.born, ids(update)) == ([0], [], [])


def test_tracks_that_are_set_aside_for_too_long_are_lost() -> None:
    tracker = confirmed(face())
    tracker.set_aside()
    updates = feed(tracker, [face()], start_s=1.0, seconds=2.5)
    assert [track for update in updates for track in update.lost] == [0]
    assert all_born(updates) == [1]


def test_a_track_that_is_to_be_kept_is_bridged_for_longer_than_the_others() -> None:
    tracker = confirmed(face(x=0.3), face(x=0.7))
    updates = [tracker.update([], 1.0 + FRAME_S * step, keep=1, keep_s=3.0) for step in range(round(4 / FRAME_S))]
    lost_s = {track: 1.0 + FRAME_S * step for step, update in enumerate(updates) for track in update.lost}
    assert lost_s[0] < 1.8 and 3.9 < lost_s[1] < 4.2


def test_a_face_that_comes_back_after_long_is_the_one_that_was_kept() -> None:
    tracker = confirmed(face())
    for step in range(100):
        tracker.update([], 1.0 + FRAME_S * step, keep=0, keep_s=10.0)
    update = tracker.update([face()], 5.0, keep=0, keep_s=10.0)
    assert [(one.track, one.visible) for one in update.tracks] == [(0, True)]
    assert update.born == update.lost == []
