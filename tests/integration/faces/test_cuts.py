"""A cut from one speaker to another who sits in the same place, with the real detector on real pictures."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect.config import load_config
from streamaffect.pipeline.opening import make_face_stage
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.types import Frame, ImageArray, Sightings
from tests.support.bundles import write_bundle
from tests.support.faces import demo_frames


@pytest.fixture(scope="module")
def frames() -> list[ImageArray]:
    return demo_frames(80)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_bundle(tmp_path_factory.mktemp("cuts") / "bundle"))


def other_speaker(image: ImageArray) -> ImageArray:
    """Somebody else elsewhere: mirrored, broader, lit from one side, bearded, before a wall of another colour."""
    height, width = image.shape[:2]
    broad = cv2.resize(image[:, ::-1], (round(width * 1.2), height))[:, round(width * 0.1) :][:, :width]
    lit = broad * np.linspace(0.35, 1.5, width)[None, :, None]
    lit[round(height * 0.55) :] *= 0.4
    lit[:, : width // 4] = (40, 90, 60)
    lit[:, -width // 4 :] = (60, 40, 90)
    return np.clip(lit, 0, 255).astype(np.uint8)


def looked_at(frames: Sequence[ImageArray], bundle: Bundle) -> list[Sightings]:
    stage = make_face_stage("cuts", load_config(), bundle)
    seen = [stage.look(Frame(image, i, i * 0.04, round(i * 0.04e9), None)) for i, image in enumerate(frames)]
    stage.close()
    return seen


def tracks(seen: Sequence[Sightings]) -> list[set[int]]:
    return [{face.track for face in one.faces} for one in seen]


def test_the_speaker_after_a_cut_is_another_one(frames: list[ImageArray], bundle: Bundle) -> None:
    seen = looked_at([*frames[:40], *map(other_speaker, frames[40:])], bundle)
    assert tracks(seen)[39] == {0}
    assert [i for i, one in enumerate(seen) if one.lost] == [43]
    assert next(i for i, one in enumerate(seen) if one.born == [1]) in (43, 44)
    assert not any(face.visible for one in seen[40:43] for face in one.faces)
    assert tracks(seen)[79] == {1}


def test_without_a_cut_there_is_one_speaker(frames: list[ImageArray], bundle: Bundle) -> None:
    assert {track for one in tracks(looked_at(frames, bundle)) for track in one} == {0}
    assert {track for one in tracks(looked_at([*map(other_speaker, frames)], bundle)) for track in one} == {0}


def test_a_light_that_goes_out_ends_no_track(frames: list[ImageArray], bundle: Bundle) -> None:
    dark = [np.asarray(image * 0.5, np.uint8) for image in frames[40:]]
    assert {track for one in tracks(looked_at([*frames[:40], *dark], bundle)) for track in one} == {0}


def test_two_frames_of_a_flash_end_no_track(frames: list[ImageArray], bundle: Bundle) -> None:
    lit = [np.clip(image * 3.0 + 60, 0, 255).astype(np.uint8) for image in frames[40:42]]
    assert {track for one in tracks(looked_at([*frames[:40], *lit, *frames[42:]], bundle)) for track in one} == {0}


def test_a_face_that_stood_still_before_a_cut_to_its_own_close_up_stays(
    frames: list[ImageArray], bundle: Bundle, tmp_path: Path
) -> None:
    height, width = frames[0].shape[:2]
    closer = [
        np.asarray(cv2.resize(image[: round(height * 0.85), width // 8 : -width // 8], (width, height)), np.uint8)
        for image in frames[40:]
    ]
    assert {track for one in tracks(looked_at([*frames[:40], *closer], bundle)) for track in one} == {0}
