"""What a person before the camera is advised."""

from dataclasses import replace

import numpy as np
import pytest

from streamaffect.faces.advice import (
    CLOSER,
    DARKER,
    FRONT,
    INSIDE,
    LIGHTER,
    STILLER,
    UPRIGHT,
    advise,
    brightness,
    lights,
)
from streamaffect.types import Box, Face, Quality

GOOD = Quality(size=1.0, sharpness=1.0, inside=1.0, score=0.9)


def face(nose_x: float = 0.5) -> Face:
    points = [(0.4, 0.4), (0.6, 0.4), (nose_x, 0.5), (0.5, 0.6), (0.3, 0.45), (0.7, 0.45)]
    return Face(Box(0.2, 0.2, 0.6, 0.6), 0.9, np.array(points, np.float32))


@pytest.mark.parametrize(
    ("quality", "grey", "nose_x", "advice"),
    [
        (GOOD, 120, 0.5, None),
        (Quality(0.3, 1.0, 1.0, 0.9), 120, 0.5, CLOSER),
        (Quality(1.0, 1.0, 0.6, 0.9), 120, 0.5, INSIDE),
        (GOOD, 20, 0.5, LIGHTER),
        (GOOD, 240, 0.5, DARKER),
        (Quality(1.0, 0.2, 1.0, 0.9), 120, 0.5, STILLER),
        (GOOD, 120, 0.62, FRONT),
        (GOOD, 120, 0.38, FRONT),
    ],
)
def test_the_most_pressing_thing_is_said(quality: Quality, grey: int, nose_x: float, advice: str | None) -> None:
    assert advise(brightness(np.full((64, 64, 3), grey, np.uint8)), face(nose_x), quality) == advice


def test_a_face_whose_way_up_nobody_knows_is_to_be_held_upright() -> None:
    doubtful = replace(face(0.62), doubtful=True)
    assert advise(120, doubtful, GOOD) == UPRIGHT
    assert lights(120, replace(face(), doubtful=True), GOOD).pose == "poor"


@pytest.mark.parametrize(
    ("quality", "grey", "nose_x", "lamps"),
    [
        (GOOD, 120, 0.5, ("good", "good", "good", "good")),
        (GOOD, 20, 0.5, ("poor", "good", "good", "good")),
        (GOOD, 55, 0.5, ("fair", "good", "good", "good")),
        (GOOD, 240, 0.5, ("poor", "good", "good", "good")),
        (Quality(0.3, 1.0, 1.0, 0.9), 120, 0.5, ("good", "poor", "good", "good")),
        (Quality(0.6, 1.0, 0.6, 0.9), 120, 0.5, ("good", "poor", "good", "good")),
        (Quality(1.0, 0.4, 0.9, 0.9), 120, 0.5, ("good", "fair", "fair", "good")),
        (Quality(1.0, 0.2, 1.0, 0.9), 20, 0.62, ("poor", "good", "poor", "poor")),
        (GOOD, 120, 0.57, ("good", "good", "good", "fair")),
    ],
)
def test_each_light_speaks_of_its_own(quality: Quality, grey: int, nose_x: float, lamps: tuple[str, ...]) -> None:
    found = lights(brightness(np.full((64, 64, 3), grey, np.uint8)), face(nose_x), quality)
    assert (found.light, found.distance, found.blur, found.pose) == lamps
