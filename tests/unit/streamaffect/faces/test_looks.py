"""The looks at a still."""

import numpy as np
import pytest

from streamaffect.faces.looks import CLOSER, looks
from streamaffect.types import ImageArray


@pytest.fixture
def crops() -> ImageArray:
    return np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)


def test_every_second_look_is_the_mirror_image_of_the_one_before(crops: ImageArray) -> None:
    plain, mirrored, closer, closer_mirrored = looks(crops)
    assert np.array_equal(plain, crops)
    assert np.array_equal(mirrored, crops[:, :, ::-1])
    assert np.array_equal(closer_mirrored, closer[:, :, ::-1])


def test_the_closer_look_enlarges_about_the_middle() -> None:
    ramp = np.broadcast_to(np.arange(0, 66, 2, dtype=np.uint8), (1, 33, 33)).copy()
    _, _, closer, _ = looks(ramp)
    assert closer[0, 16, 16] == ramp[0, 16, 16]
    span = int(closer[0, 16, -1]) - int(closer[0, 16, 0])
    assert span == pytest.approx(64 * CLOSER, abs=1.5)


def test_grey_and_colour_are_looked_at_alike(crops: ImageArray) -> None:
    for grey, colour in zip(looks(crops[..., 0]), looks(crops), strict=True):
        assert np.array_equal(grey, colour[..., 0])
