"""Faces with an expression and 68 landmarks: the fold files of Belharbi et al. 2024, and drawn faces without data.

folds/<DATA SET>/<split>/class_labels.txt   path,label                   one line per picture
                        /landmarks.txt      path,x1,…,x68,y1,…,y68       inf where no face was found
folds/<DATA SET>/class_id.yaml              {Surprise: 0, Fear: 1, …}
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamaffect.types import ImageArray

from ..errors import DataError
from ..methods.au_guided import EXPRESSIONS, LANDMARKS, heatmaps

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LandmarkFaces:
    """N grey faces of one size S, ready for training.

    pictures: (N, S, S) uint8; labels: (N,) int64 numbers in `EXPRESSIONS`
    regions:  (N, 1, S, S) float32 heat maps of the labels, all infinite where there is none
    """

    pictures: Tensor
    labels: Tensor
    regions: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def as_faces(pictures: list[ImageArray], labels: list[int], landmarks: Points, size: int) -> LandmarkFaces:
    """Scale N grey pictures to S = `size` with their landmarks (N, 68, 2), which are pixels of the picture."""
    scaled = [cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA) for picture in pictures]
    scale = np.array([[size / picture.shape[1], size / picture.shape[0]] for picture in pictures])
    points = torch.from_numpy(landmarks * scale[:, None, :])
    numbers = torch.tensor(labels)
    regions = heatmaps(points, numbers, height=size, width=size, scale_radii=True)
    return LandmarkFaces(torch.from_numpy(np.stack(scaled)), numbers, regions)


def load_landmark_faces(root: Path, folds: Path, split: str, size: int) -> LandmarkFaces:
    """Read one split. root: folder that the pictures' paths start from; folds: `folds/<DATA SET>`.

    Raises DataError if a file is missing, a picture cannot be read or has no landmarks, or a label is unknown.
    """
    names = _class_names(folds / "class_id.yaml")
    points = {path: values for path, *values in _rows(folds / split / "landmarks.txt")}
    pictures, labels, landmarks = [], [], []
    for path, number in _rows(folds / split / "class_labels.txt"):
        picture = cv2.imread(str(root / path), cv2.IMREAD_GRAYSCALE)
        if picture is None or path not in points or len(points[path]) != 2 * LANDMARKS or int(number) not in names:
            raise DataError(f"{folds / split}: {path} needs a picture, {2 * LANDMARKS} coordinates in landmarks.txt "
                            f"and a label of class_id.yaml, found label {number}")  # fmt: skip
        pictures.append(np.asarray(picture, np.uint8))
        labels.append(EXPRESSIONS.index(names[int(number)]))
        landmarks.append(np.array(points[path], np.float64).reshape(2, LANDMARKS).T)
    if not pictures:
        raise DataError(f"{folds / split}: class_labels.txt names no picture")
    return as_faces(pictures, labels, np.stack(landmarks), size)


def drawn_faces(count: int, size: int, *, seed: int) -> LandmarkFaces:
    """Faces of strokes: brows, eyes and mouth show the expression; a bright bar beside the face misleads attention."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(len(EXPRESSIONS), size=count).tolist()
    pictures, landmarks = [], np.empty((count, LANDMARKS, 2))
    for row, label in enumerate(labels):
        landmarks[row] = _posed(EXPRESSIONS[label], generator) * size
        pictures.append(_drawn(landmarks[row], size, generator))
    return as_faces(pictures, labels, landmarks, size)


def _class_names(file: Path) -> dict[int, str]:
    """`{Surprise: 0, Fear: 1}` on one line, or one `Name: number` a line."""
    text = _text(file).strip().strip("{}").replace(",", "\n")
    pairs = [line.split(":") for line in text.splitlines() if line.strip()]
    try:
        names = {int(number): name.strip().strip("'\"") for name, number in pairs}
    except ValueError as error:
        raise DataError(f"{file}: expected lines of the form Surprise: 0") from error
    if unknown := set(names.values()) - set(EXPRESSIONS):
        raise DataError(f"{file}: no action units are known for {', '.join(sorted(unknown))}")
    return names


def _rows(file: Path) -> list[list[str]]:
    return [line.split(",") for line in _text(file).splitlines() if line.strip()]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); see docs/methods/au_guided.md") from error


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
