"""Landmarks of small face crops, by MediaPipe's Face Landmarker."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamaffect.types import ImageArray

from ...data.drawn_faces import LANDMARKS, Points
from ...errors import DataError
from .ibug68 import from_face_mesh

ENLARGED = 192  # the landmarker was made for larger pictures
BORDER = 48
LEAST_CONFIDENCE = 0.3


@contextmanager
def open_landmarker(file: Path) -> Iterator[Any]:
    """The landmarker of a `face_landmarker.task`. Raises DataError where that is none."""
    import mediapipe as mp

    if not file.is_file():
        raise DataError(f"{file}: missing; it is MediaPipe's Face Landmarker, face_landmarker.task")
    task = mp.tasks.BaseOptions(model_asset_path=str(file))
    settings = mp.tasks.vision.FaceLandmarkerOptions(base_options=task, min_face_detection_confidence=LEAST_CONFIDENCE)
    try:
        landmarker = mp.tasks.vision.FaceLandmarker.create_from_options(settings)
    except (RuntimeError, ValueError) as error:
        raise DataError(f"{file}: MediaPipe does not take it as a Face Landmarker ({error})") from error
    with landmarker:
        yield landmarker


def landmarks_of(picture: ImageArray, landmarker: Any) -> Points:
    """The 68 landmarks of a grey face crop (S, S) in its pixels, (68, 2); infinite if no face is found."""
    import mediapipe as mp

    enlarged = cv2.resize(picture, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(enlarged, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
    image = mp.Image(image_format=mp.ImageFormat.SRGB, data=cv2.cvtColor(framed, cv2.COLOR_GRAY2RGB))
    found = landmarker.detect(image).face_landmarks
    if not found:
        return np.full((LANDMARKS, 2), np.inf)
    mesh = np.array([(point.x, point.y) for point in found[0]]) * (ENLARGED + 2 * BORDER) - BORDER
    return np.asarray(from_face_mesh(mesh) * picture.shape[0] / ENLARGED)
