"""Faces that lie on their side or stand on their head, in real pictures that were turned."""

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect import analyze_image
from streamaffect.faces.crop import eye_roll
from streamaffect.faces.detectors.detector import MediaPipeDetector
from streamaffect.faces.detectors.opening import open_detector
from streamaffect.settings import FaceSettings
from streamaffect.types import Face, ImageArray
from tests.support.bundles import edit_manifest, write_bundle
from tests.support.faces import demo_frames


@pytest.fixture(scope="module")
def frames() -> list[ImageArray]:
    return demo_frames(250)[::50]


def turned(image: ImageArray, degrees: float) -> ImageArray:
    """The whole picture, turned clockwise; its corners repeat the border."""
    height, width = image.shape[:2]
    across, up = abs(np.cos(np.radians(degrees))), abs(np.sin(np.radians(degrees)))
    wide, high = round(height * up + width * across), round(height * across + width * up)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    turn[:, 2] += ((wide - width) / 2, (high - height) / 2)
    return np.asarray(cv2.warpAffine(image, turn, (wide, high), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def roll_of(face: Face, image: ImageArray) -> float:
    return float(np.degrees(eye_roll(face.keypoints, image.shape[1], image.shape[0])))


@pytest.mark.parametrize("name", ["mediapipe", "litert"])
@pytest.mark.parametrize("degrees", [0, 75, 90, 120, 150, 180, -90, -120])
def test_the_eyes_of_a_turned_face_are_where_they_are(frames: list[ImageArray], name: str, degrees: int) -> None:
    with closing(open_detector(FaceSettings(detector=name), mode="image", max_faces=8)) as detector:  # type: ignore[arg-type]
        for frame in frames:
            picture = turned(frame, degrees)
            [face] = detector.detect(picture, 0.0)
            off = (roll_of(face, picture) - degrees + 180) % 360 - 180
            assert abs(off) < 35


def test_without_a_second_look_a_face_on_its_head_would_be_taken_for_an_upright_one(frames: list[ImageArray]) -> None:
    picture = turned(frames[0], 180)
    with MediaPipeDetector(mode="image") as plain:
        [face] = plain.detect(picture, 0.0)
    assert abs(roll_of(face, picture)) < 60


@pytest.mark.parametrize("degrees", [75, 120, 180])
def test_a_turned_picture_is_estimated_like_the_upright_one(frames: list[ImageArray], degrees: int) -> None:
    for frame in frames:
        [straight], [other] = analyze_image(frame), analyze_image(turned(frame, degrees))
        assert straight.valence is not None and other.valence is not None
        assert other.valence == pytest.approx(straight.valence, abs=0.2)


def test_a_bundle_whose_crops_stay_as_they_are_abstains_from_a_turned_face(
    frames: list[ImageArray], tmp_path: Path
) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    edit_manifest(bundle, lambda manifest: manifest["crop"].update(align="none"))
    assert [one.status for one in analyze_image(frames[0], bundle=bundle)] == ["ok"]
    assert [one.status for one in analyze_image(turned(frames[0], 180), bundle=bundle)] == ["abstain"]
