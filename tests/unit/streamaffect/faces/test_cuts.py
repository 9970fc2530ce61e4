"""When the picture and all faces in it change at once and stay so, and when only one of them does, or for a moment."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from streamaffect.faces.crop import crop_face
from streamaffect.faces.cuts import CutWatch, Verdict
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import Box, Face, ImageArray

SPEC = CropSpec(size=32, margin=0.0, align="none")
FACE = Face(Box(0.4, 0.3, 0.2, 0.35), 0.9)
HEIGHT, WIDTH = 120, 160


def scene(seed: int) -> ImageArray:
    """A room of blocks, with a face of smaller ones in its middle."""
    rng = np.random.default_rng(seed)
    room = rng.integers(30, 200, (6, 8, 3)).astype(np.uint8)
    image = cv2.resize(room, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    return with_face(np.asarray(image, np.uint8), seed)


def with_face(image: ImageArray, seed: int) -> ImageArray:
    face = np.random.default_rng((seed, 1)).integers(30, 200, (6, 5, 3)).astype(np.uint8)
    left, top = round(FACE.box.x * WIDTH), round(FACE.box.y * HEIGHT)
    size = (round(FACE.box.w * WIDTH), round(FACE.box.h * HEIGHT))
    changed = image.copy()
    changed[top : top + size[1], left : left + size[0]] = cv2.resize(face, size, interpolation=cv2.INTER_NEAREST)
    return changed


class Viewer:
    """Shows pictures to a watch as the face stage does."""

    def __init__(self) -> None:
        self._watch = CutWatch(SPEC)
        self._time_s = 0.0
        self._known: list[ImageArray] = []

    def see(self, image: ImageArray, faces: Sequence[Face] = (FACE,), *, after_s: float = 0.04) -> Verdict:
        self._time_s += after_s
        verdict = self._watch.judge(image, self._time_s, faces, self._known)
        if faces and verdict != "doubt":
            self._known = [crop_face(image, face, SPEC) for face in faces]
        return verdict

    def see_all(self, images: Sequence[ImageArray], faces: Sequence[Face] = (FACE,)) -> list[Verdict]:
        return [self.see(image, faces) for image in images]


@pytest.fixture
def viewer() -> Viewer:
    viewer = Viewer()
    assert set(viewer.see_all([scene(1)] * 10)) == {"same"}
    return viewer


def test_another_picture_with_another_face_that_stays_is_a_cut(viewer: Viewer) -> None:
    assert viewer.see_all([scene(2)] * 6) == ["doubt"] * 3 + ["cut"] + ["same"] * 2


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_what_comes_back_after_a_moment_was_none(viewer: Viewer, frames: int) -> None:
    assert viewer.see_all([scene(2)] * frames) == ["doubt"] * frames
    assert viewer.see_all([scene(1)] * 20) == ["same"] * 20


def test_as_long_as_the_picture_is_moving_nothing_is_certain(viewer: Viewer) -> None:
    """Somebody walks past, close to the camera."""
    for step in range(9):
        assert viewer.see(scene(20 + step)) == "doubt"
    assert viewer.see(scene(1)) == "same"


def test_a_cut_to_a_moving_picture_is_one_in_the_end(viewer: Viewer) -> None:
    verdicts = viewer.see_all([scene(20 + step) for step in range(20)])
    assert set(verdicts[:16]) == {"doubt"}
    assert verdicts.index("cut") in (16, 17)  # after 0.64 s


def test_frames_that_come_slowly_are_judged_by_time(viewer: Viewer) -> None:
    verdicts = [viewer.see(scene(2), after_s=0.25) for _ in range(4)]
    assert verdicts == ["doubt", "doubt", "cut", "same"]


def test_the_same_face_before_another_background_is_none(viewer: Viewer) -> None:
    assert viewer.see_all([with_face(scene(2), 1)] * 10) == ["same"] * 10


def test_somebody_alike_in_a_picture_that_is_as_much_alike_is_somebody_else(viewer: Viewer) -> None:
    """Two people in one studio: half of what is seen is what was seen before."""
    studio = cv2.addWeighted(scene(1), 0.48, scene(2), 0.52, 0)
    assert viewer.see_all([studio.astype(np.uint8)] * 6) == ["doubt"] * 3 + ["cut"] + ["same"] * 2


def test_a_face_that_is_much_alike_in_another_light_is_the_same(viewer: Viewer) -> None:
    """It turns while the light goes out."""
    face = cv2.addWeighted(scene(1), 0.5, with_face(scene(1), 2), 0.5, 0)
    assert viewer.see_all([np.clip(face * 0.4, 0, 255).astype(np.uint8)] * 10) == ["same"] * 10


def test_another_face_in_the_same_picture_is_none(viewer: Viewer) -> None:
    """It may be a hand before the face, or a head that turns away."""
    assert viewer.see_all([with_face(scene(1), 2)] * 10) == ["same"] * 10


@pytest.mark.parametrize("gain", [0.4, 1.25])
def test_a_light_that_is_switched_is_none(viewer: Viewer, gain: float) -> None:
    assert viewer.see_all([np.clip(scene(1) * gain, 0, 255).astype(np.uint8)] * 10) == ["same"] * 10


def test_a_slow_change_is_none(viewer: Viewer) -> None:
    first, last = scene(1).astype(np.float64), scene(2).astype(np.float64)
    steps = [(first + (last - first) * step / 40).astype(np.uint8) for step in range(1, 41)]
    assert viewer.see_all(steps) == ["same"] * 40


def test_a_camera_that_swings_is_none(viewer: Viewer) -> None:
    wide = np.concatenate([scene(1), scene(3)], axis=1)
    no_face_like_before = Face(Box(0.1, 0.3, 0.2, 0.35), 0.9)
    swung = [np.ascontiguousarray(wide[:, left : left + WIDTH]) for left in range(0, 40, 8)]
    assert viewer.see_all(swung, [no_face_like_before]) == ["same"] * 5


def test_a_cut_is_seen_when_a_face_comes_into_view_a_moment_after_it(viewer: Viewer) -> None:
    assert viewer.see_all([scene(2)] * 2, []) == ["same"] * 2
    assert viewer.see_all([scene(2)] * 4) == ["doubt"] * 3 + ["cut"]


def test_it_is_forgotten_when_no_face_comes(viewer: Viewer) -> None:
    assert viewer.see_all([scene(2)] * 20, []) == ["same"] * 20
    assert viewer.see(scene(2)) == "same"


def test_after_a_silence_nothing_can_be_said(viewer: Viewer) -> None:
    assert viewer.see(scene(2), after_s=2.0) == "same"


def test_one_face_that_is_still_there_is_enough_to_go_on(viewer: Viewer) -> None:
    beside = Face(Box(0.7, 0.3, 0.2, 0.35), 0.9)
    assert viewer.see(with_face(scene(2), 1), [beside, FACE]) == "same"
