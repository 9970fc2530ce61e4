import sys
from collections.abc import Iterator

import numpy as np
import pytest

from streamaffect.errors import EngineError
from streamaffect.faces.boxes import iou
from streamaffect.faces.detectors.detector import MediaPipeDetector
from streamaffect.faces.detectors.litert import LiteRTDetector
from streamaffect.faces.detectors.opening import open_detector
from streamaffect.faces.detectors.tiles import TiledDetector
from streamaffect.faces.detectors.upright import UprightDetector
from streamaffect.settings import FaceSettings
from tests.support.faces import demo_frames

pytest.importorskip("ai_edge_litert.interpreter", reason="the extra litert is not installed")


@pytest.fixture(scope="module")
def detector() -> Iterator[LiteRTDetector]:
    with LiteRTDetector() as detector:
        yield detector


def test_it_finds_the_faces_that_mediapipe_finds(detector: LiteRTDetector) -> None:
    with MediaPipeDetector() as mediapipe:
        for i, image in enumerate(demo_frames(50)):
            (expected,), (found,) = mediapipe.detect(image, i / 25), detector.detect(image, i / 25)
            assert iou(found.box, expected.box) > 0.9
            assert found.score == pytest.approx(expected.score, abs=0.05)
            assert found.keypoints is not None
            assert expected.keypoints is not None
            assert np.abs(found.keypoints - expected.keypoints).max() < 0.05 * max(expected.box.w, expected.box.h)


def test_a_portrait_frame_is_not_distorted(detector: LiteRTDetector) -> None:
    image = demo_frames(1)[0]
    height, width = image.shape[:2]
    (whole,) = detector.detect(image, 0.0)
    tall = np.vstack((image, np.full((width, width, 3), 90, np.uint8)))
    (below,) = detector.detect(tall, 0.0)
    share = height / tall.shape[0]
    assert iou(whole.box, below.box._replace(y=below.box.y / share, h=below.box.h / share)) > 0.8


def test_a_picture_without_a_face_has_none(detector: LiteRTDetector) -> None:
    assert detector.detect(np.full((360, 640, 3), 127, np.uint8), 0.0) == []


def test_a_closed_detector_says_so_and_can_be_closed_again() -> None:
    detector = LiteRTDetector()
    detector.close()
    detector.close()
    with pytest.raises(ValueError, match="closed"):
        detector.detect(np.zeros((9, 9, 3), np.uint8), 0.0)


def test_without_litert_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(EngineError, match=r"pip install 'streamaffect\[litert\]'"):
        LiteRTDetector()


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (FaceSettings(), MediaPipeDetector),
        (FaceSettings(detector="litert"), LiteRTDetector),
        (FaceSettings(detector="litert", tiles=2), TiledDetector),
    ],
)
def test_the_settings_choose_the_detector(settings: FaceSettings, kind: type) -> None:
    detector = open_detector(settings, mode="video", max_faces=3)
    assert isinstance(detector, UprightDetector)
    assert isinstance(detector._detector, kind)
    detector.close()
