import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.faces.crop import crop_box, crop_face, eye_roll, square_of_box, square_of_face
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import Box, Face, ImageArray

UPRIGHT = CropSpec(size=64, margin=0.0, align="none")
LEVEL = CropSpec(size=64, margin=0.0, align="roll")


def texture(height: int, width: int) -> ImageArray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramp(height: int = 400, width: int = 500) -> ImageArray:
    """Blue grows by 0.5 per pixel to the right, green by 0.5 downwards, sampled at pixel centres."""
    down, across = np.indices((height, width)) + 0.5
    return np.stack((across / 2, down / 2, np.zeros_like(down)), axis=2).round().astype(np.uint8)


def box_px(x: float, y: float, w: float, h: float, image: ImageArray) -> Box:
    height, width = image.shape[:2]
    return Box(x / width, y / height, w / width, h / height)


def test_a_box_that_is_the_whole_picture_gives_exactly_the_picture_in_rgb() -> None:
    image = texture(64, 64)
    crop = crop_box(image, Box(0, 0, 1, 1), CropSpec(size=64, margin=0.3, align="roll"))
    assert np.array_equal(crop, image[..., ::-1])


def test_a_square_of_the_frame_is_cut_pixel_by_pixel() -> None:
    image = texture(100, 200)
    crop = crop_face(image, Face(box_px(70, 20, 64, 64, image), 1.0), UPRIGHT)
    assert np.array_equal(crop, image[20:84, 70:134, ::-1])


def test_the_margin_is_added_on_each_side_to_the_longer_side() -> None:
    image = texture(200, 200)
    crop = crop_face(image, Face(box_px(80, 72, 30, 40, image), 1.0), CropSpec(64, 0.3, "none"))
    assert np.array_equal(crop, image[60:124, 63:127, ::-1])


@pytest.mark.parametrize("side", [20, 64, 100, 127, 128, 129, 190, 192, 255, 256, 257, 300, 383])
@pytest.mark.parametrize("roll_degrees", [0, 17, -40])
def test_every_pixel_shows_the_place_it_stands_for_at_any_scale_and_angle(side: int, roll_degrees: int) -> None:
    image, centre, roll = ramp(), (251.3, 198.7), math.radians(roll_degrees)
    eyes = np.array([(-10 * math.cos(roll), -10 * math.sin(roll)), (10 * math.cos(roll), 10 * math.sin(roll))])
    keypoints = np.tile((eyes + centre) / (500, 400), (3, 1)).astype(np.float32)
    box = box_px(centre[0] - side / 2, centre[1] - side / 2, side, side, image)
    crop = crop_face(image, Face(box, 1.0, keypoints), LEVEL).astype(float)
    down, across = ((np.indices((64, 64)) + 0.5) / 64 - 0.5) * side
    x = centre[0] + across * math.cos(roll) - down * math.sin(roll)
    y = centre[1] + across * math.sin(roll) + down * math.cos(roll)
    inside = (x > 12) & (x < 488) & (y > 12) & (y < 388)
    assert np.abs(crop[..., 2] - x / 2)[inside].max() <= 1.5
    assert np.abs(crop[..., 1] - y / 2)[inside].max() <= 1.5


@pytest.mark.parametrize("roll_degrees", [-30, 0, 25])
def test_the_eyes_are_level_after_alignment(roll_degrees: int) -> None:
    roll = math.radians(roll_degrees)
    image = np.zeros((360, 640, 3), np.uint8)
    right_eye = (320 - 40 * math.cos(roll), 180 - 40 * math.sin(roll))
    left_eye = (320 + 40 * math.cos(roll), 180 + 40 * math.sin(roll))
    cv2.circle(image, tuple(map(round, right_eye)), 8, (255, 0, 0), -1)
    cv2.circle(image, tuple(map(round, left_eye)), 8, (0, 0, 255), -1)
    keypoints = (np.array([right_eye, left_eye] * 3) / (640, 360)).astype(np.float32)
    crop = crop_face(image, Face(box_px(240, 100, 160, 160, image), 1.0, keypoints), LEVEL)
    (right_y, right_x), (left_y, left_x) = (np.argwhere(crop[..., c] > 128).mean(axis=0) for c in (2, 0))
    assert right_y == pytest.approx(left_y, abs=0.6)
    assert left_x - right_x == pytest.approx(80 * 64 / 160, abs=0.8)


def test_without_keypoints_nothing_is_turned() -> None:
    image = texture(120, 120)
    box = box_px(20, 20, 80, 80, image)
    assert eye_roll(None, 120, 120) == 0.0
    assert np.array_equal(crop_face(image, Face(box, 1.0), LEVEL), crop_face(image, Face(box, 1.0), UPRIGHT))


@pytest.mark.parametrize("side", [256, 192, 448])
def test_shrinking_averages_fine_detail_instead_of_sampling_it(side: int) -> None:
    stripes = np.zeros((500, 500, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = crop_face(stripes, Face(box_px(20, 20, side, side, stripes), 1.0), UPRIGHT).astype(float)
    assert np.abs(crop - 127.5).max() < 43  # three stripes average to a third or two thirds; a sample is 0 or 255


def test_outside_the_frame_the_border_repeats() -> None:
    image = texture(100, 100)
    crop = crop_face(image, Face(box_px(-32, 10, 64, 64, image), 1.0), UPRIGHT)
    assert np.array_equal(crop[:, 32:], image[10:74, :32, ::-1])
    assert np.array_equal(crop[:, :32], np.repeat(image[10:74, :1, ::-1], 32, axis=1))


def test_a_box_by_hand_gets_its_full_margin_where_there_is_room() -> None:
    image = texture(300, 300)
    box = box_px(100, 90, 80, 80, image)
    spec = CropSpec(64, 0.25, "none")
    assert np.array_equal(crop_box(image, box, spec), crop_face(image, Face(box, 1.0), spec))


def test_a_box_by_hand_gets_no_more_margin_than_the_tightest_side_has_room_for() -> None:
    image = texture(200, 200)
    crop = crop_box(image, box_px(7, 60, 50, 50, image), CropSpec(64, 0.5, "none"))
    assert np.array_equal(crop, image[53:117, 0:64, ::-1])


def test_a_box_by_hand_that_is_not_square_is_squared_about_its_centre() -> None:
    image = texture(200, 200)
    crop = crop_box(image, box_px(84, 68, 32, 64, image), UPRIGHT)
    assert np.array_equal(crop, image[68:132, 68:132, ::-1])


def test_a_wide_picture_as_a_box_is_squared_with_its_own_border() -> None:
    image = texture(32, 64)
    crop = crop_box(image, Box(0, 0, 1, 1), CropSpec(64, 0.2, "none"))
    assert np.array_equal(crop[16:48], image[..., ::-1])
    assert np.array_equal(crop[0], image[0, :, ::-1])


@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.builds(Box, *[st.floats(-3, 3)] * 2, *[st.floats(0, 4)] * 2),
    st.integers(8, 24),
)
def test_any_box_gives_a_crop(shape: tuple[int, int], box: Box, size: int) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    spec = CropSpec(size, 0.1, "roll")
    for crop in (crop_face(image, Face(box, 1.0), spec), crop_box(image, box, spec)):
        assert crop.dtype == np.uint8
        assert np.array_equal(crop, np.full((size, size, 3), 90, np.uint8))


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_square_has_its_corners_where_the_crop_was_cut(*, by_hand: bool) -> None:
    """The ramp says of each pixel where it comes from."""
    image, spec = ramp(), CropSpec(size=64, margin=0.2, align="roll")
    eyes = np.array([(210, 180), (290, 210)]) / (500, 400)
    face = Face(box_px(190, 150, 120, 100, image), 1.0, np.vstack([eyes, np.zeros((4, 2))]).astype(np.float32))
    if by_hand:
        crop, square = crop_box(image, face.box, spec), square_of_box(face.box, image.shape, spec)
    else:
        crop, square = crop_face(image, face, spec), square_of_face(face, image.shape, spec)
    for (x, y), (row, column) in zip(square, ((0, 0), (0, 63), (63, 0)), strict=True):
        blue, green = crop[row, column, 2] * 2.0, crop[row, column, 1] * 2.0
        assert (x * 500, y * 400) == pytest.approx((blue, green), abs=4.0)
    (left, top), (right, down), _ = square
    assert (down != pytest.approx(top)) is not by_hand
    assert right > left
