"""Faces with an expression and 68 landmarks: the fold files of Belharbi et al. 2024, and drawn faces without data.

folds/<DATA SET>/<split>/class_labels.txt   path,label                   one line per picture
                        /landmarks.txt      path,x1,…,x68,y1,…,y68       inf where no face was found
folds/<DATA SET>/class_id.yaml              {Surprise: 0, Fear: 1, …}
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from streamaffect.types import ImageArray

from ...data.drawn_faces import EXPRESSIONS, LANDMARKS, Points, draw_faces
from ...errors import DataError
from ...loop.context import Context
from .recipe import AuGuidedRecipe
from .regions import heatmaps


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


def load_faces(recipe: AuGuidedRecipe, context: Context) -> tuple[LandmarkFaces, LandmarkFaces]:
    """The faces to train on, and those to score. Raises DataError if they are missing or not as described."""
    if recipe.data == "drawn":
        return (
            drawn_faces(recipe.drawn, recipe.size, seed=recipe.seed),
            drawn_faces(max(50, recipe.drawn // 4), recipe.size, seed=recipe.seed + 1),
        )
    root = context.data_folder(f"the pictures and folds/{recipe.data_set}")
    folds = root / "folds" / recipe.data_set
    return (
        load_landmark_faces(root, folds, recipe.train, recipe.size),
        load_landmark_faces(root, folds, recipe.valid, recipe.size),
    )


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
    """Faces of strokes, see `draw_faces`, with the regions of their expressions."""
    drawn = draw_faces(count, size, seed=seed)
    return as_faces(list(drawn.pictures), drawn.labels, drawn.landmarks, size)


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
