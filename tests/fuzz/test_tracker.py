"""The tracker as a state machine: faces enter, move, hide, jump, flicker and leave, and the books balance."""

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from streamaffect.faces.tracker import Tracker
from streamaffect.settings import TrackerSettings
from streamaffect.types import Box, Face
from tests.fuzz.effort import machine_effort

shares = st.floats(-0.3, 1.3)
sizes = st.floats(0.0, 1.2)
intervals = st.floats(1e-3, 0.2) | st.sampled_from([0.04, 1e-6, 0.64, 1.0, 2.0, 2.5, 60.0, 1e6])


def face_at(x: float, y: float, size: float, score: float, *, points: bool) -> Face:
    keypoints = np.tile(np.array((x, y), np.float32), (6, 1)) if points else None
    return Face(Box(x - size / 2, y - size / 2, size, size), score, keypoints)


class TrackerMachine(RuleBasedStateMachine):
    """The people in view are the machine's; the tracker sees a list of detections a frame."""

    @initialize(
        max_faces=st.integers(1, 4),
        confirm_hits=st.integers(1, 4),
        confirm_s=st.sampled_from([0.0, 0.12, 1.0]),
        keep_s=st.sampled_from([0.0, 0.64, 5.0]),
        first_id=st.sampled_from([0, 7]),
    )
    def begin(self, max_faces: int, confirm_hits: int, confirm_s: float, keep_s: float, first_id: int) -> None:
        self.settings = TrackerSettings(
            max_faces=max_faces, confirm_hits=confirm_hits, confirm_s=confirm_s, keep_s=keep_s
        )
        self.tracker = Tracker(self.settings, first_id=first_id)
        self.time_s = 0.0
        self.people: list[Face] = []
        self.alive: set[int] = set()
        self.last_id = first_id - 1

    @rule(x=shares, y=shares, size=sizes, score=st.floats(0, 1), points=st.booleans())
    def somebody_enters(self, x: float, y: float, size: float, score: float, points: bool) -> None:
        self.people.append(face_at(x, y, size, score, points=points))

    @rule(data=st.data())
    def somebody_leaves(self, data: st.DataObject) -> None:
        if self.people:
            self.people.pop(data.draw(st.integers(0, len(self.people) - 1)))

    @rule(x=st.floats(-0.2, 0.2), y=st.floats(-0.2, 0.2), points=st.booleans())
    def all_move(self, x: float, y: float, points: bool) -> None:
        boxes = [person.box for person in self.people]
        self.people = [face_at(b.x + b.w / 2 + x, b.y + b.h / 2 + y, b.w, 0.9, points=points) for b in boxes]

    @rule(interval_s=intervals, frames=st.integers(1, 8))
    def all_are_seen(self, interval_s: float, frames: int) -> None:
        for _ in range(frames):
            self.frame(interval_s, self.people)

    @rule(interval_s=intervals, frames=st.integers(1, 4))
    def nobody_is_seen(self, interval_s: float, frames: int) -> None:
        for _ in range(frames):
            self.frame(interval_s, [])

    @rule(interval_s=intervals, data=st.data())
    def some_are_seen_in_any_order(self, interval_s: float, data: st.DataObject) -> None:
        shuffled = data.draw(st.permutations(self.people))
        self.frame(interval_s, shuffled[: data.draw(st.integers(0, len(shuffled)))])

    @rule(interval_s=intervals)
    def all_are_seen_twice(self, interval_s: float) -> None:
        self.frame(interval_s, [*self.people, *self.people])

    @rule(back_s=st.floats(0, 10))
    def time_that_does_not_increase_is_refused(self, back_s: float) -> None:
        self.frame(0.01, self.people)
        for wrong_s in (self.time_s - back_s, float("nan")):
            with pytest.raises(ValueError, match="order of time"):
                self.tracker.update(self.people, wrong_s)

    @rule()
    def a_successor_goes_on_with_the_ids(self) -> None:
        self.tracker = self.tracker.successor()
        self.alive = set()
        assert self.tracker.tracks == []

    def frame(self, interval_s: float, faces: list[Face]) -> None:
        self.time_s += interval_s
        update = self.tracker.update(faces, self.time_s)
        assert set(update.lost) <= self.alive
        assert len(update.lost) == len(set(update.lost))
        assert update.born == list(range(self.last_id + 1, self.last_id + 1 + len(update.born)))
        self.last_id += len(update.born)
        self.alive = (self.alive - set(update.lost)) | set(update.born)
        found = [tracked.track for tracked in update.tracks]
        assert found == sorted(self.alive) == self.tracker.tracks
        assert len(found) <= self.settings.max_faces
        assert sum(tracked.visible for tracked in update.tracks) + update.left_out <= len(faces)
        if not faces:
            assert not update.born
        for tracked in update.tracks:
            assert np.isfinite(tracked.face.box).all()
            assert tracked.face.box.w >= 0 <= tracked.face.box.h
            assert tracked.face.keypoints is None or np.isfinite(tracked.face.keypoints).all()


def test_whatever_is_detected_the_books_balance() -> None:
    run_state_machine_as_test(TrackerMachine, settings=machine_effort)
