"""Following what a face looked like: how exactly it is found again, and what lowers the score."""

import cv2
import numpy as np
import pytest

from streamaffect.faces.cadence.patch import Patch
from streamaffect.types import Box, Face, ImageArray
from tests.support.faces import demo_frames

HEIGHT, WIDTH = 240, 320
SIDE_PX = 80
FACE = Face(
    Box(100 / WIDTH, 70 / HEIGHT, SIDE_PX / WIDTH, SIDE_PX / HEIGHT),
    0.9,
    np.array([(120 / WIDTH, 100 / HEIGHT), (160 / WIDTH, 100 / HEIGHT)], np.float32),
)


@pytest.fixture(scope="module")
def picture() -> ImageArray:
    """Soft blotches, as a face is made of: no two places are alike."""
    coarse = np.random.default_rng(3).integers(0, 256, (HEIGHT // 10, WIDTH // 10, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def moved(picture: ImageArray, across_px: float, down_px: float) -> ImageArray:
    shift = np.array([[1.0, 0.0, across_px], [0.0, 1.0, down_px]])
    return np.asarray(cv2.warpAffine(picture, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.uint8)


@pytest.mark.parametrize(("across_px", "down_px"), [(0.0, 0.0), (7.3, -4.6), (-15.0, 11.0)])
def test_a_face_that_moves_is_found_to_a_hundredth_of_its_size(
    picture: ImageArray, across_px: float, down_px: float
) -> None:
    patch = Patch(picture, FACE)
    assert patch.follow(moved(picture, across_px, down_px)) > 0.95
    box, points = patch.face.box, patch.face.keypoints
    assert box.x * WIDTH == pytest.approx(100 + across_px, abs=0.01 * SIDE_PX)
    assert box.y * HEIGHT == pytest.approx(70 + down_px, abs=0.01 * SIDE_PX)
    assert (box.w, box.h) == (FACE.box.w, FACE.box.h)
    assert points is not None
    np.testing.assert_allclose(points[0] * (WIDTH, HEIGHT), (120 + across_px, 100 + down_px), atol=0.01 * SIDE_PX)
    assert patch.way == pytest.approx(np.hypot(across_px, down_px) / SIDE_PX, abs=0.015)


def test_errors_do_not_add_up_from_frame_to_frame(picture: ImageArray) -> None:
    patch = Patch(picture, FACE)
    for step in range(1, 11):
        patch.follow(moved(picture, 2.7 * step, -1.9 * step))
    assert patch.face.box.x * WIDTH == pytest.approx(127, abs=0.01 * SIDE_PX)
    assert patch.face.box.y * HEIGHT == pytest.approx(51, abs=0.01 * SIDE_PX)


def test_light_does_not_matter(picture: ImageArray) -> None:
    darker = (picture * 0.5 + 20).astype(np.uint8)
    assert Patch(picture, FACE).follow(darker) > 0.99


def test_what_covers_half_of_a_face_casts_doubt(picture: ImageArray) -> None:
    covered = picture.copy()
    covered[70:150, 100:140] = 90
    assert Patch(picture, FACE).follow(covered) < 0.9


def test_what_leaves_the_picture_casts_doubt(picture: ImageArray) -> None:
    patch = Patch(picture, FACE)
    assert min(patch.follow(moved(picture, 12.0 * step, 0.0)) for step in range(1, 20)) < 0.9


def test_a_real_face_is_followed_over_five_frames() -> None:
    first, *later = demo_frames(5)
    patch = Patch(first, Face(Box(0.3, 0.2, 0.35, 0.5), 0.9))
    assert min(patch.follow(image) for image in later) > 0.8
