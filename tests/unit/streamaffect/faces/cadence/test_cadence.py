"""When the detector looks, by what it has found before and by the pictures since."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from streamaffect.faces.cadence.cadence import AT_MOST, AT_REST, MOST_FACES, Cadence
from streamaffect.settings import TrackerSettings
from streamaffect.types import Box, Face, ImageArray

HEIGHT, WIDTH = 120, 160
FACE = Face(Box(0.25, 0.2, 0.4, 0.5), 0.9)
SETTINGS = TrackerSettings()
SETTLED = 20  # frames of 40 ms: longer than a track is kept

Finds = Callable[[int], list[Face]]


def scene(seed: int = 1) -> ImageArray:
    coarse = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3)).astype(np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)


def looks(
    cadence: Cadence,
    frames: int,
    finds: Finds = lambda _: [FACE],
    shows: Callable[[int], ImageArray] = lambda _: scene(),
    *,
    pressed: bool = False,
    frame_s: float = 0.04,
) -> list[int]:
    """The numbers of the frames in which the detector looked."""
    looked = []
    for number in range(frames):
        picture, time_s = shows(number), number * frame_s
        followed = cadence.follow(picture, time_s, pressed=pressed)
        if followed is None:
            looked.append(number)
            found = finds(number)
            cadence.note(picture, time_s, found)
        else:
            assert len(followed) == len(found)  # whoever is followed is there in every frame
    return looked


def gaps(looked: list[int], since: int = SETTLED) -> set[int]:
    """From one look to the next, from that frame on."""
    later = [number for number in looked if number >= since]
    return {b - a for a, b in itertools.pairwise(later)}


@pytest.mark.parametrize("every", [1, 2, 3, 4, 5])
def test_a_face_that_stays_is_looked_for_in_every_nth_frame(every: int) -> None:
    looked = looks(Cadence(SETTINGS, every), 60)
    assert looked[:SETTLED] == list(range(17)) + looked[17:SETTLED]  # at first in each, for as long as a track is kept
    assert gaps(looked) == {every}


def test_by_need_it_is_less_often_where_there_is_too_much_to_do() -> None:
    assert gaps(looks(Cadence(SETTINGS), 60)) == {AT_REST}
    assert gaps(looks(Cadence(SETTINGS), 60, pressed=True)) == {AT_MOST}
    assert gaps(looks(Cadence(SETTINGS, 2), 60, pressed=True)) == {2}


def test_a_followed_face_is_given_as_it_was_found() -> None:
    cadence = Cadence(SETTINGS, 5)
    looks(cadence, 30)
    cadence.note(scene(), 30 * 0.04, [FACE])
    faces = cadence.follow(scene(), 31 * 0.04)
    assert faces is not None
    [followed] = faces
    assert followed.box == pytest.approx(FACE.box, abs=1e-3)
    assert followed.score == FACE.score


def test_another_picture_is_looked_at_at_once() -> None:
    undisturbed = looks(Cadence(SETTINGS, 5), 60)
    cut = undisturbed[-2] + 2
    assert cut not in undisturbed
    assert cut in looks(Cadence(SETTINGS, 5), 60, shows=lambda number: scene(1 if number < cut else 2))


def test_a_face_that_goes_far_is_looked_for_more_often() -> None:
    soft = np.asarray(cv2.GaussianBlur(scene(), (0, 0), 4), np.uint8)

    def way_px(number: int) -> int:
        return 3 * abs(number % 20 - 10)  # back and forth, a twentieth of the face from frame to frame

    def sliding(number: int) -> ImageArray:
        return np.roll(soft, way_px(number), axis=1)

    def found(number: int) -> list[Face]:
        return [replace(FACE, box=FACE.box._replace(x=FACE.box.x + way_px(number) / WIDTH))]

    assert 4 in gaps(looks(Cadence(SETTINGS, 5), 60, found, sliding))


def test_it_looks_in_every_frame_from_when_a_face_comes_until_it_is_believed() -> None:
    second = replace(FACE, box=Box(0.7, 0.6, 0.2, 0.3))
    looked = looks(Cadence(SETTINGS, 5), 80, lambda number: [FACE] if number < 41 else [FACE, second])
    came = next(number for number in looked if number >= 41)
    assert came - 41 < 5
    assert set(range(came, came + 16)) <= set(looked)
    assert gaps(looked, came + SETTLED) == {5}


def test_it_looks_in_every_frame_for_a_face_that_has_gone_until_it_is_given_up() -> None:
    looked = looks(Cadence(SETTINGS, 5), 80, lambda number: [FACE] if number < 41 else [])
    gone = next(number for number in looked if number >= 41)
    assert set(range(gone, gone + 16)) <= set(looked)
    assert gaps(looked, gone + SETTLED) == {5}


@pytest.mark.parametrize(
    "faces",
    [
        [replace(FACE, doubtful=True)],
        [replace(FACE, score=0.55)],
        [replace(FACE, box=Box(0.1 * number, 0.0, 0.05, 0.05)) for number in range(MOST_FACES + 1)],
    ],
    ids=["doubtful", "weak", "crowd"],
)
def test_what_cannot_be_followed_is_looked_for_in_every_frame(faces: list[Face]) -> None:
    assert looks(Cadence(SETTINGS, 5), 40, lambda _: faces) == list(range(40))


def test_slow_cameras_are_not_looked_at_more_seldom_than_four_times_a_second() -> None:
    assert gaps(looks(Cadence(SETTINGS, 5), 40, frame_s=0.1)) == {3}
    assert gaps(looks(Cadence(SETTINGS, 5), 40, frame_s=0.5)) == {1}


def test_a_successor_knows_nothing() -> None:
    cadence = Cadence(SETTINGS, 5)
    looks(cadence, 40)
    assert looks(cadence.successor(), 10) == list(range(10))
