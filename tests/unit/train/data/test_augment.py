"""Augmentation: what stays as it is, what is repeatable, what stays within a sequence."""

import cv2
import numpy as np
import pytest

from streamaffect.types import ImageArray
from train.data.augment import AugmentConfig, apply_view, draw_view, jitter, place, plain

NOTHING = AugmentConfig(
    rotation_deg=0, scale=0, shift=0, contrast=0, brightness=0, gamma=0, blur=0, shrink=0, compress=0, noise=0, dark=0,
    hide=0,
)  # fmt: skip


@pytest.fixture
def picture() -> ImageArray:
    smooth = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8), (0, 0), 3)
    return np.asarray(smooth, np.uint8)


def test_a_plain_crop_of_the_same_size_is_the_picture_itself(picture: ImageArray) -> None:
    assert np.array_equal(place(picture, plain(1.0, mirrored=False), 48), picture)


def test_a_mirrored_crop_is_the_mirror_image(picture: ImageArray) -> None:
    assert np.array_equal(place(picture, plain(1.0, mirrored=True), 48), picture[:, ::-1])


def test_a_plain_crop_scales_as_opencv_does(picture: ImageArray) -> None:
    expected = cv2.resize(picture, (64, 64), interpolation=cv2.INTER_LINEAR).astype(int)
    found = place(picture, plain(1.0, mirrored=False), 64).astype(int)
    assert np.abs(found - expected).max() <= 2  # warpAffine rounds positions to 1/32 pixel


def test_half_of_a_picture_is_its_middle(picture: ImageArray) -> None:
    assert np.array_equal(place(picture, plain(0.5, mirrored=False), 24), picture[12:36, 12:36])


def test_with_everything_off_a_view_only_mirrors(picture: ImageArray) -> None:
    generator = np.random.default_rng(5)
    sides = {apply_view(picture, draw_view(NOTHING, generator, shown=1.0), 48, generator).tobytes() for _ in range(20)}
    stretched = [np.frombuffer(side, np.uint8).reshape(48, 48).astype(int) for side in sides]
    nearest = [min(np.abs(side - picture).mean(), np.abs(side - picture[:, ::-1]).mean()) for side in stretched]
    assert max(nearest) < 12  # the slight stretch is always on


def test_the_same_seed_gives_the_same_picture(picture: ImageArray) -> None:
    config = AugmentConfig(blur=1, shrink=1, compress=1, noise=1, dark=1, hide=1)
    made = []
    for _ in range(2):
        generator = np.random.default_rng([3, 1, 4])
        made.append(apply_view(picture, draw_view(config, generator, shown=0.8), 64, generator))
    assert made[0].shape == (64, 64)
    assert np.array_equal(made[0], made[1])


def test_pixels_outside_the_picture_repeat_its_border() -> None:
    picture = np.full((20, 20), 90, np.uint8)
    assert np.unique(place(picture, plain(2.0, mirrored=False), 64)).tolist() == [90]


def test_jitter_moves_a_placement_by_a_few_percent_only() -> None:
    generator = np.random.default_rng(0)
    matrix = plain(0.7, mirrored=False)
    corners = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]]).T
    moves = [np.abs((jitter(matrix, generator) - matrix) @ corners).max() for _ in range(200)]
    assert 0.005 < np.median(moves) < 0.04
