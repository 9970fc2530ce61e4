"""When the picture and all faces in it change at once, and when only one of them does."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from streamaffect.faces.crop import crop_face
from streamaffect.faces.cuts import CutWatch
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

    def see(self, image: ImageArray, faces: Sequence[Face] = (FACE,), *, after_s: float = 0.04) -> bool:
        self._time_s += after_s
        is_cut = self._watch.sees_cut(image, self._time_s, faces, self._known)
        if faces:
            self._known = [crop_face(image, face, SPEC) for face in faces]
        return is_cut


@pytest.fixture
def viewer() -> Viewer:
    viewer = Viewer()
    for _ in range(10):
        assert not viewer.see(scene(1))
    return viewer


def test_another_picture_with_another_face_is_a_cut(viewer: Viewer) -> None:
    assert viewer.see(scene(2))
    assert not viewer.see(scene(2))


def test_the_same_face_before_another_background_is_none(viewer: Viewer) -> None:
    assert not viewer.see(with_face(scene(2), 1))


def test_another_face_in_the_same_picture_is_none_at_once(viewer: Viewer) -> None:
    """It may be a hand before the face, or a head that turns away."""
    small = Face(Box(0.47, 0.45, 0.06, 0.08), 0.9)
    assert not viewer.see(scene(1), [small])


@pytest.mark.parametrize("gain", [0.4, 1.25])
def test_a_light_that_is_switched_is_none(viewer: Viewer, gain: float) -> None:
    assert not viewer.see(np.clip(scene(1) * gain, 0, 255).astype(np.uint8))


def test_a_slow_change_is_none(viewer: Viewer) -> None:
    first, last = scene(1).astype(np.float64), scene(2).astype(np.float64)
    for step in range(1, 41):
        assert not viewer.see((first + (last - first) * step / 40).astype(np.uint8))


def test_a_cut_is_seen_when_a_face_comes_into_view_a_moment_after_it(viewer: Viewer) -> None:
    assert not viewer.see(scene(2), [])
    assert not viewer.see(scene(2), [])
    assert viewer.see(scene(2))


def test_it_is_forgotten_when_no_face_comes(viewer: Viewer) -> None:
    assert not viewer.see(scene(2), [])
    for _ in range(20):
        assert not viewer.see(scene(2), [])
    assert not viewer.see(scene(2))


def test_after_a_silence_nothing_can_be_said(viewer: Viewer) -> None:
    assert not viewer.see(scene(2), after_s=2.0)


def test_one_face_that_is_still_there_is_enough_to_go_on(viewer: Viewer) -> None:
    beside = Face(Box(0.7, 0.3, 0.2, 0.35), 0.9)
    assert not viewer.see(with_face(scene(2), 1), [beside, FACE])
