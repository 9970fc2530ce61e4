"""Faces of strokes with an expression and 68 landmarks, drawn to try a recipe without data."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from streamaffect.types import ImageArray

EXPRESSIONS = ("Surprise", "Fear", "Disgust", "Sadness", "Happiness", "Anger", "Neutral")
LANDMARKS = 68

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DrawnFaces:
    """N pictures of one size S.

    pictures:  (N, S, S) uint8 grey
    labels:    numbers in `EXPRESSIONS`
    landmarks: (N, 68, 2) float64 pixels of the picture, the points of iBUG 300-W
    """

    pictures: ImageArray
    labels: list[int]
    landmarks: Points


def draw_faces(count: int, size: int, *, seed: int) -> DrawnFaces:
    """Faces of strokes: brows, eyes and mouth show the expression; a bright bar beside the face misleads attention."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(len(EXPRESSIONS), size=count).tolist()
    pictures, landmarks = [], np.empty((count, LANDMARKS, 2))
    for row, label in enumerate(labels):
        landmarks[row] = _posed(EXPRESSIONS[label], generator) * size
        pictures.append(_drawn(landmarks[row], size, generator))
    return DrawnFaces(np.stack(pictures), labels, landmarks)


# How an expression moves the strokes, as shares of the face: brows down, mouth corners down, eyes and mouth open.
_SHAPES = {
    "Surprise": (-0.05, 0.0, 0.045, 0.08),
    "Fear": (-0.05, 0.02, 0.045, 0.03),
    "Disgust": (0.03, 0.03, 0.015, 0.02),
    "Sadness": (-0.01, 0.06, 0.02, 0.0),
    "Happiness": (0.0, -0.06, 0.025, 0.02),
    "Anger": (0.05, 0.02, 0.03, 0.0),
    "Neutral": (0.0, 0.0, 0.03, 0.0),
}


def _posed(expression: str, generator: np.random.Generator) -> Points:
    """68 landmarks in a picture of side 1, somewhere near its middle."""
    brow, corner, eye, mouth = (value + generator.normal(0, 0.006) for value in _SHAPES[expression])
    eye, mouth = max(eye, 0.01), max(mouth, 0.0)
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.5 + 0.3 * np.cos(angle), 0.5 + 0.35 * np.sin(angle)], 1)
    across = np.linspace(0, 1, 5)
    brows = [np.stack([left + 0.14 * across, np.full(5, 0.36 + brow)], 1) for left in (0.29, 0.57)]
    bridge = np.stack([np.full(4, 0.5), np.linspace(0.42, 0.56, 4)], 1)
    nostrils = np.stack([np.linspace(0.44, 0.56, 5), np.full(5, 0.6)], 1)
    eyes = [_ring(x, 0.44, 0.06, eye, 6) for x in (0.36, 0.64)]
    lips = np.concatenate([_ring(0.5, 0.7, 0.12, 0.03 + mouth, 12), _ring(0.5, 0.7, 0.09, mouth, 8)])
    lips[:, 1] += corner * (2 * np.abs(lips[:, 0] - 0.5) / 0.12 - 1) * 0.5
    points = np.concatenate([jaw, *brows, bridge, nostrils, *eyes, lips])
    return np.asarray(points + generator.normal(0, 0.03, 2))


def _ring(x: float, y: float, half_width: float, half_height: float, count: int) -> Points:
    """Points about an ellipse from its left end over the top."""
    angle = np.pi + np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], 1)


def _drawn(points: Points, size: int, generator: np.random.Generator) -> ImageArray:
    canvas = np.full((size, size), 70, np.uint8)
    thick = max(1, size // 32)
    cv2.fillPoly(canvas, [cv2.convexHull(points[:27].round().astype(np.int32))], 190)
    for first, end, closed in ((17, 22, False), (22, 27, False), (36, 42, True), (42, 48, True), (48, 60, True)):
        stroke = points[first:end].round().astype(np.int32)
        cv2.polylines(canvas, [stroke], isClosed=closed, color=40, thickness=thick)
    bar = int(generator.integers(size // 8))
    cv2.rectangle(canvas, (bar, 0), (bar + size // 10, size // 6), 250, cv2.FILLED)
    return np.asarray((canvas + generator.normal(0, 6, canvas.shape)).clip(0, 255), np.uint8)
