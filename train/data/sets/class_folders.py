"""Videos with one class each, as folders of frames, such as AFEW has them.

ROOT/<split>/<class>/<video>/*.png    face crops, in the order of their names; other kinds of pictures are read too
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from streamaffect.types import ImageArray

from ...errors import DataError
from ..pictures import PICTURES


@dataclass(frozen=True, slots=True)
class ClassVideo:
    """name: unique in its split; label: number of the class; frames: (L, S, S) uint8 grey."""

    name: str
    label: int
    frames: ImageArray


def load_class_folders(root: Path, split: str, classes: Sequence[str], size: int) -> list[ClassVideo]:
    """All videos of a split, their frames scaled to S = `size`. A folder without pictures is skipped.

    Raises DataError if the folders of the split are not exactly the classes, or if a picture cannot be read.
    """
    folder = root / split
    found = sorted(path.name for path in folder.glob("*") if path.is_dir())
    if found != sorted(classes):
        raise DataError(f"{folder}: expected one folder for each of {', '.join(classes)}; found {', '.join(found)}")
    videos = []
    for label, name in enumerate(classes):
        for video in sorted(path for path in (folder / name).iterdir() if path.is_dir()):
            files = sorted(path for path in video.iterdir() if path.suffix.lower() in PICTURES)
            if files:
                frames = np.stack([_picture(file, size) for file in files])
                videos.append(ClassVideo(f"{name}/{video.name}", label, frames))
    return videos


def hold_out(videos: Sequence[ClassVideo], share: float, seed: int) -> tuple[list[ClassVideo], list[ClassVideo]]:
    """Divide the videos of every class at random: those to train on, and `share` of them to validate on."""
    generator = np.random.default_rng(seed)
    of_class = [[video for video in videos if video.label == label] for label in sorted({v.label for v in videos})]
    train, valid = [], []
    for own in of_class:
        order = generator.permutation(len(own))
        count = round(share * len(own))
        valid += [own[row] for row in sorted(order[:count])]
        train += [own[row] for row in sorted(order[count:])]
    return train, valid


def scaled(picture: ImageArray, size: int) -> ImageArray:
    """A grey picture (H, W) as (S, S), S = `size`."""
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _picture(file: Path, size: int) -> ImageArray:
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise DataError(f"{file}: is no picture")
    return scaled(np.asarray(picture, np.uint8), size)
