"""Which faces get a second look, and what it changes."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from streamaffect.faces.crop import eye_roll
from streamaffect.faces.detectors.upright import UprightDetector, is_left_lying
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import Box, Face, FloatArray, ImageArray, Picture

HEIGHT, WIDTH = 240, 320
PICTURE: ImageArray = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def face(score: float, roll_degrees: float = 0.0, centre: tuple[float, float] = (0.5, 0.5)) -> Face:
    """A face whose eyes are turned about its middle."""
    cos, sin = math.cos(math.radians(roll_degrees)), math.sin(math.radians(roll_degrees))
    offsets = np.array([(-0.2, -0.2), (0.2, -0.2), (0.0, 0.0), (0.0, 0.2), (-0.4, -0.1), (0.4, -0.1)])
    x = centre[0] + (cos * offsets[:, 0] - sin * offsets[:, 1]) * 80 / WIDTH
    y = centre[1] + (sin * offsets[:, 0] + cos * offsets[:, 1]) * 80 / HEIGHT
    keypoints: FloatArray = np.stack((x, y), axis=1).astype(np.float32)
    return Face(Box(centre[0] - 40 / WIDTH, centre[1] - 40 / HEIGHT, 80 / WIDTH, 80 / HEIGHT), score, keypoints)


class Scripted:
    """Finds `first` in the whole picture; in close-ups, by their number within a frame, what `second` says."""

    def __init__(self, first: list[Face], second: Callable[[int], list[Face]]) -> None:
        self.first = first
        self.looks = 0
        self._second = second
        self._in_frame = 0

    def detect(self, image: ImageArray | Picture, time_s: float) -> list[Face]:
        if image.shape == PICTURE.shape:
            self._in_frame = 0
            return self.first
        self.looks += 1
        self._in_frame += 1
        return self._second(self._in_frame)

    def close(self) -> None:
        pass


def upright_face(score: float) -> list[Face]:
    """As it is seen in a close-up that was turned rightly."""
    keypoints = np.array([(0.42, 0.42), (0.58, 0.42), (0.5, 0.5), (0.5, 0.58), (0.34, 0.46), (0.66, 0.46)], np.float32)
    return [Face(Box(0.3, 0.3, 0.4, 0.4), score, keypoints)]


def roll_of(found: Face) -> float:
    return math.degrees(eye_roll(found.keypoints, WIDTH, HEIGHT))


def test_a_face_that_is_surely_upright_gets_no_second_look() -> None:
    detector = Scripted([face(0.93, 20.0)], lambda _: [])
    assert UprightDetector(detector).detect(PICTURE, 0.0) is detector.first
    assert detector.looks == 0


def test_a_face_on_its_head_is_turned_where_the_other_way_up_is_clearly_better() -> None:
    scores = {1: 0.62, 2: 0.93}  # as it was found, and half a turn further
    found = UprightDetector(Scripted([face(0.66)], lambda look: upright_face(scores.get(look, 0.9)))).detect(
        PICTURE, 0.0
    )
    assert abs(roll_of(found[0])) == pytest.approx(180.0, abs=1.0)
    assert found[0].score == 0.9  # a third look, from where it is upright, has placed it
    assert found[0].box.x + found[0].box.w / 2 == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("score", "here", "there"), [(0.66, 0.9, 0.6), (0.78, 0.7, 0.74), (0.78, 0.0, 0.5), (0.66, 0.6, 0.4)]
)
def test_a_face_stays_as_it_is_where_it_is_not(score: float, here: float, there: float) -> None:
    scores = {1: here, 2: there}
    first = face(score)
    found = UprightDetector(Scripted([first], lambda look: upright_face(scores.get(look, 0.9)))).detect(PICTURE, 0.0)
    assert found == [first]


@pytest.mark.parametrize(
    ("score", "roll", "here", "there"),
    [(0.66, 0.0, 0.7, 0.74), (0.66, 0.0, 0.0, 0.5), (0.8, 40.0, 0.5, 0.5), (0.8, 80.0, 0.62, 0.5)],
)
def test_a_face_of_which_no_look_is_clearly_better_is_doubtful(
    score: float, roll: float, here: float, there: float
) -> None:
    scores = {1: here, 2: there}
    first = face(score, roll)
    found = UprightDetector(Scripted([first], lambda look: upright_face(scores.get(look, 0.9)))).detect(PICTURE, 0.0)
    assert found == [replace(first, doubtful=True)]
    assert is_left_lying(found[0], PICTURE, CropSpec(size=64, margin=0.25, align="roll"))


def test_a_doubtful_face_is_looked_at_again_in_the_next_frame() -> None:
    scores = {1: 0.5, 2: 0.5}
    upright = UprightDetector(Scripted([face(0.66)], lambda look: upright_face(scores.get(look, 0.9))))
    assert upright.detect(PICTURE, 0.0)[0].doubtful
    scores[1] = 0.8
    assert not upright.detect(PICTURE, 0.04)[0].doubtful


@pytest.mark.parametrize(("here", "there", "roll"), [(0.93, 0.65, 75.0), (0.65, 0.93, -105.0)])
def test_a_face_on_its_side_is_looked_at_from_both_sides(here: float, there: float, roll: float) -> None:
    scores = {1: here, 2: there}
    detector = Scripted([face(0.9, 75.0)], lambda look: upright_face(scores.get(look, 0.9)))
    [found] = UprightDetector(detector).detect(PICTURE, 0.0)
    assert roll_of(found) == pytest.approx(roll, abs=1.0)


def test_a_face_that_is_turned_by_more_than_its_eyes_said_is_read_by_the_second_look() -> None:
    def turned_further(look: int) -> list[Face]:
        [seen] = upright_face(0.88 if look == 1 else 0.6)
        if look == 3:
            return [seen]
        assert seen.keypoints is not None
        quarter = np.array([[0, 1], [-1, 0]], np.float32)
        return [Face(seen.box, seen.score, np.asarray((seen.keypoints - 0.5) @ quarter + 0.5, np.float32))]

    [found] = UprightDetector(Scripted([face(0.75, 10.0)], turned_further)).detect(PICTURE, 0.0)
    assert roll_of(found) == pytest.approx(100.0, abs=1.0)


def test_a_face_seen_from_the_side_has_no_line_of_eyes_to_be_judged_by() -> None:
    profile = face(0.93, 80.0)
    assert profile.keypoints is not None
    profile.keypoints[1] = profile.keypoints[0] + np.array([0.0, 0.01], np.float32)
    detector = Scripted([profile], lambda _: [])
    assert UprightDetector(detector).detect(PICTURE, 0.0) == [profile]
    assert detector.looks == 0


def test_another_face_in_the_close_up_says_nothing() -> None:
    def beside(_: int) -> list[Face]:
        return [Face(Box(0.0, 0.0, 0.2, 0.2), 0.99, upright_face(1.0)[0].keypoints)]

    first = face(0.78)
    assert UprightDetector(Scripted([first], beside)).detect(PICTURE, 0.0) == [first]


def test_a_face_that_was_found_upright_is_not_looked_at_again_for_a_second() -> None:
    scores = {1: 0.7, 2: 0.6}
    detector = Scripted([face(0.7)], lambda look: upright_face(scores.get(look, 0.9)))
    upright = UprightDetector(detector)
    for frame in range(60):
        upright.detect(PICTURE, frame * 0.04)
    assert detector.looks == 2 * 3  # at 0, 1 and 2 seconds


def test_a_face_that_stood_on_its_head_a_moment_ago_needs_less_evidence() -> None:
    scores = {1: 0.62, 2: 0.93}
    detector = Scripted([face(0.66)], lambda look: upright_face(scores.get(look, 0.9)))
    upright = UprightDetector(detector)
    upright.detect(PICTURE, 0.0)
    scores[1], scores[2] = 0.68, 0.7
    detector.first = [face(0.88)]
    [found] = upright.detect(PICTURE, 0.04)
    assert abs(roll_of(found)) == pytest.approx(180.0, abs=1.0)


def test_stills_know_nothing_of_each_other() -> None:
    scores = {1: 0.7, 2: 0.6}
    detector = Scripted([face(0.7)], lambda look: upright_face(scores.get(look, 0.9)))
    upright = UprightDetector(detector)
    for _ in range(3):
        upright.detect(PICTURE, 0.0)
    assert detector.looks == 2 * 3
