"""Which detector the settings ask for."""

from typing import Literal

from streamaffect.faces.detector import FaceDetector, MediaPipeDetector
from streamaffect.faces.settings import FaceSettings


def make_detector(settings: FaceSettings, *, max_faces: int, mode: Literal["video", "image"]) -> FaceDetector:
    """A detector, loaded. Raises EngineError where it is not available here."""
    return MediaPipeDetector(mode=mode, min_score=settings.min_score, max_faces=max_faces)
