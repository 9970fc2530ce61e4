"""Pictures of single faces, each with its person: portraits from a studio, and faces cut from news pictures."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measures.face_data import read_pairs
from benchmarks.measures.packed_arrays import read_arrays
from streamaffect.types import ImageArray

VIDEOS = {".mp4", ".mkv", ".mov", ".avi", ".mpg", ".webm", ".gif"}


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture (H, W, 3) uint8 BGR of one face."""

    person: str
    image: ImageArray


def read_portraits(root: Path, limit: int | None, seed: int) -> list[Portrait]:
    """The smiling faces of `london/`, one a person."""
    pairs = read_pairs(root) or []
    read = [(pairs[row][0], cv2.imread(str(pairs[row][2]))) for row in _sample(len(pairs), limit, seed)]
    return [Portrait(person, np.asarray(image, np.uint8)) for person, image in read if image is not None]


def read_named_faces(root: Path, limit: int | None, seed: int) -> list[Portrait]:
    """One picture a person of `lfw_faces/*.npz`: JPEG in `jpeg`, cut by `offsets`, and the file's name in `image`."""
    portraits: dict[str, Portrait] = {}
    for file in sorted((root / "lfw_faces").glob("*.npz")):
        arrays = read_arrays(file, "jpeg", "offsets", "image")
        if len(arrays) < 3:
            continue
        jpeg, offsets = arrays["jpeg"], arrays["offsets"]
        for row, name in enumerate(arrays["image"].tolist()):
            person = str(name).rsplit("_", 1)[0]
            image = cv2.imdecode(jpeg[offsets[row] : offsets[row + 1]], cv2.IMREAD_COLOR)
            if person not in portraits and image is not None:
                portraits[person] = Portrait(person, np.asarray(image, np.uint8))
    people = list(portraits.values())
    return [people[row] for row in _sample(len(people), limit, seed)]


def read_clip_files(root: Path, limit: int | None, seed: int) -> list[Path]:
    """The videos of `videos/`."""
    files = sorted(file for file in (root / "videos").glob("*") if file.suffix in VIDEOS)
    return [files[row] for row in _sample(len(files), limit, seed)]


def _sample(count: int, limit: int | None, seed: int) -> list[int]:
    """All of `count` rows, or a random sample of `limit`, in order."""
    rows = np.random.default_rng(seed).permutation(count)
    return sorted(rows[: count if limit is None else limit].tolist())
