"""Labelled faces as they lie on disk: FER+ votes, neutral and smiling pairs, clips with a teacher's labels.

Each part may be absent. What is wrong inside a part ends the benchmark with a message that names the file.
"""

import csv
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from streamaffect.errors import ConfigError
from streamaffect.types import Box, ImageArray

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
TRAINING = 0

# Valence and arousal of the eight words after Russell & Mehrabian (1977), neutral at the origin; contempt is a guess.
CIRCUMPLEX = {
    "neutral": (0.0, 0.0),
    "happiness": (0.81, 0.51),
    "surprise": (0.4, 0.67),
    "sadness": (-0.63, -0.27),
    "anger": (-0.51, 0.59),
    "disgust": (-0.6, 0.35),
    "fear": (-0.64, 0.6),
    "contempt": (-0.5, 0.25),
}


@dataclass(frozen=True, slots=True)
class CrowdFaces:
    """Face crops that a crowd has voted on; those that most voters could not name are left out.

    pictures: (H, W, 3) uint8 BGR; votes: (N, 8) in the order of EMOTIONS; total: (N,) votes, all ten kinds
    affect:   (N, 2) the votes' projection on valence and arousal
    """

    pictures: list[ImageArray]
    votes: np.ndarray
    total: np.ndarray
    affect: np.ndarray


@dataclass(frozen=True, slots=True)
class TeacherRow:
    """A teacher's labels of one face at one time."""

    time_s: float
    box: Box
    valence: float
    arousal: float


@dataclass(frozen=True, slots=True)
class Clip:
    """A video with a teacher's labels. person: the group it belongs to; split: "" where no file says."""

    file: Path
    person: str
    split: str
    rows: list[TeacherRow]


def read_crowd_faces(root: Path, *, held_out: bool, limit: int | None, seed: int) -> CrowdFaces | None:
    """All `ferplus/*.npz` that hold votes; None where there is none.

    held_out: without the rows whose `split` is Training; limit: a random sample of so many pictures
    """
    parts = [part for file in sorted((root / "ferplus").glob("*.npz")) if (part := _read_votes(file, held_out))]
    if not parts:
        return None
    packed = [data for arrays, _ in parts for data in arrays]
    votes = np.concatenate([votes for _, votes in parts]).astype(np.float64)
    emotion_votes, total = votes[:, : len(EMOTIONS)], votes.sum(axis=1)
    rows = np.flatnonzero(emotion_votes.sum(axis=1) > total / 2)
    if limit is not None and limit < len(rows):
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    shares = emotion_votes[rows] / emotion_votes[rows].sum(axis=1, keepdims=True)
    pictures = [np.asarray(cv2.imdecode(packed[row], cv2.IMREAD_COLOR), np.uint8) for row in rows]
    return CrowdFaces(pictures, emotion_votes[rows], total[rows], shares @ _projection(root))


def read_pairs(root: Path) -> list[tuple[str, Path, Path]] | None:
    """Person, neutral picture and smiling picture of `london/`; None where the folder is absent."""
    folder = root / "london"
    if not folder.is_dir():
        return None
    neutral = {file.name.removesuffix("_neutral.jpg"): file for file in folder.glob("*_neutral.jpg")}
    pairs = [(person, file, folder / f"{person}_smiling.jpg") for person, file in sorted(neutral.items())]
    return [pair for pair in pairs if pair[2].is_file()]


def read_clips(root: Path, people: dict[str, tuple[str, str]]) -> list[Clip] | None:
    """The clips that `videos/videos.csv` lists and `videos/videos_teacher.csv` labels; None where either is absent."""
    folder = root / "videos"
    listing, labels = folder / "videos.csv", folder / "videos_teacher.csv"
    if not (listing.is_file() and labels.is_file()):
        return None
    rows: dict[str, list[TeacherRow]] = defaultdict(list)
    with labels.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            if row["x0"] and row["valence"]:
                rows[row["file"]].append(_teacher_row(row, f"{labels}:{number}"))
    with listing.open(newline="", encoding="utf-8") as lines:
        names = [row["file"] for row in csv.DictReader(lines)]
    clips = []
    for name in names:
        if name in rows:
            person, split = people.get(name, (name, ""))
            clips.append(Clip(folder / name, person, split, rows[name]))
    return clips


def read_people(file: Path | None) -> dict[str, tuple[str, str]]:
    """Clip → person and split, from a CSV with the columns file, person, split."""
    if file is None:
        return {}
    with file.open(newline="", encoding="utf-8") as lines:
        return {row["file"]: (row["person"], row["split"]) for row in csv.DictReader(lines)}


def _read_votes(file: Path, held_out: bool) -> tuple[list[np.ndarray], np.ndarray] | None:  # noqa: FBT001
    """Encoded pictures and votes (N, 10). Each array is read once: an npz reads it from disk at every access."""
    with np.load(file, allow_pickle=False) as arrays:
        if "votes" not in arrays.files:
            return None
        if missing := {"webp", "offsets"} - set(arrays.files):
            raise ConfigError(f"{file}: lacks the array {sorted(missing)[0]!r}; expected webp, offsets and votes")
        webp, offsets, votes = arrays["webp"], arrays["offsets"], arrays["votes"]
        split = arrays["split"] if "split" in arrays.files else None
    rows = np.arange(len(votes))
    if held_out and split is not None:
        rows = np.flatnonzero(split != TRAINING)
    return [webp[offsets[row] : offsets[row + 1]] for row in rows], votes[rows]


def _projection(root: Path) -> np.ndarray:
    """(8, 2) valence and arousal per emotion: the folder's own table, or the built-in one."""
    file = root / "teacher" / "teacher.json"
    table = json.loads(file.read_text(encoding="utf-8"))["valence_arousal"] if file.is_file() else CIRCUMPLEX
    return np.array([table[emotion] for emotion in EMOTIONS])


def _teacher_row(row: dict[str, str], where: str) -> TeacherRow:
    try:
        x0, y0, x1, y1 = (float(row[key]) for key in ("x0", "y0", "x1", "y1"))
        return TeacherRow(
            float(row["time"]), Box(x0, y0, x1 - x0, y1 - y0), float(row["valence"]), float(row["arousal"])
        )
    except ValueError as error:
        raise ConfigError(f"{where}: {error}; expected numbers for time, box, valence and arousal") from None
