"""From settings to a detector."""

from typing import Literal

from streamaffect.faces.detectors.detector import FaceDetector, MediaPipeDetector
from streamaffect.faces.detectors.litert import LiteRTDetector
from streamaffect.faces.detectors.tiles import TiledDetector
from streamaffect.faces.detectors.upright import UprightDetector
from streamaffect.settings import FaceSettings


def open_detector(settings: FaceSettings, *, mode: Literal["video", "image"], max_faces: int) -> FaceDetector:
    """The detector that the settings ask for, loaded.

    mode: "video" for the frames of one stream, "image" for stills

    Raises:
        EngineError: it is not available here.
    """
    detector: FaceDetector
    if settings.detector == "litert":
        detector = LiteRTDetector(min_score=settings.min_score, max_faces=max_faces)
    else:
        detector = MediaPipeDetector(mode=mode, min_score=settings.min_score, max_faces=max_faces)
    if settings.tiles == 1:
        return UprightDetector(detector)
    return UprightDetector(TiledDetector(detector, tiles=settings.tiles, max_faces=max_faces), closer=detector)
