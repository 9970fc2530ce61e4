"""Labelled faces as they lie on disk: FER+ votes, neutral and smiling pairs, clips with a teacher's labels.

Each part may be absent. A file that cannot be used is left out and reported, a broken table ends its part with a
ConfigError; both name the file.
"""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measures.head_pose import pose_angles
from benchmarks.measures.packed_arrays import read_arrays
from streamaffect.errors import ConfigError
from streamaffect.types import Box, ImageArray

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
TRAINING = 0
UNKNOWN_POSE = (math.nan, math.nan, math.nan)

Report = Callable[[str], None]  # told what was left out, one line each

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
    pose:     (N, 3) yaw, pitch and roll in degrees, NaN where no face was found; None where no file tells it
    """

    pictures: list[ImageArray]
    votes: np.ndarray
    total: np.ndarray
    affect: np.ndarray
    pose: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class TeacherRow:
    """A teacher's labels of one face at one time.

    height_px: of the box; pose: yaw, pitch and roll in degrees; NaN where not known
    """

    time_s: float
    box: Box
    valence: float
    arousal: float
    height_px: float = math.nan
    pose: tuple[float, float, float] = UNKNOWN_POSE


@dataclass(frozen=True, slots=True)
class Clip:
    """A video with a teacher's labels. person: the group it belongs to; split: "" where no file says."""

    file: Path
    person: str
    split: str
    rows: list[TeacherRow]


def read_crowd_faces(root: Path, report: Report, *, held_out: bool, limit: int | None, seed: int) -> CrowdFaces | None:
    """All `ferplus/*.npz` that hold votes; None where there is none with a picture to score.

    held_out: without the rows whose `split` is Training; limit: a random sample of so many pictures
    """
    parts = []
    for file in sorted((root / "ferplus").glob("*.npz")):
        with _reported(report):
            if (part := _read_votes(file, report, held_out=held_out)) is not None:
                parts.append(part)
    packed = [data for part in parts for data in part.pictures]
    if not packed:
        return None
    votes = np.concatenate([part.votes for part in parts]).astype(np.float64)
    pose = np.concatenate([part.pose for part in parts])
    emotion_votes, total = votes[:, : len(EMOTIONS)], votes.sum(axis=1)
    rows = np.flatnonzero(emotion_votes.sum(axis=1) > total / 2)
    if limit is not None and limit < len(rows):
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    decoded = [cv2.imdecode(packed[row], cv2.IMREAD_COLOR) if len(packed[row]) else None for row in rows]
    if broken := sum(picture is None for picture in decoded):
        report(f"ferplus/: {broken} of {len(rows)} pictures cannot be decoded")
    rows = rows[[picture is not None for picture in decoded]]
    if not len(rows):
        return None
    shares = emotion_votes[rows] / emotion_votes[rows].sum(axis=1, keepdims=True)
    return CrowdFaces(
        [np.asarray(picture, np.uint8) for picture in decoded if picture is not None],
        emotion_votes[rows],
        total[rows],
        shares @ _projection(root),
        pose[rows] if np.isfinite(pose).any() else None,
    )


def read_pairs(root: Path) -> list[tuple[str, Path, Path]] | None:
    """Person, neutral picture and smiling picture of `london/`; None where the folder is absent."""
    folder = root / "london"
    if not folder.is_dir():
        return None
    neutral = {file.name.removesuffix("_neutral.jpg"): file for file in folder.glob("*_neutral.jpg")}
    pairs = [(person, file, folder / f"{person}_smiling.jpg") for person, file in sorted(neutral.items())]
    return [pair for pair in pairs if pair[2].is_file()]


def read_clips(root: Path, people: dict[str, tuple[str, str]], report: Report) -> list[Clip] | None:
    """The clips that `videos/videos.csv` lists and `videos/videos_teacher.csv` labels; None where either is absent.

    Poses come from `videos/videos_blendshapes.npz`, whose rows are those of the labels.
    """
    folder = root / "videos"
    listing, labels = folder / "videos.csv", folder / "videos_teacher.csv"
    if not (listing.is_file() and labels.is_file()):
        return None
    listed = {row["file"]: row for row in _read_table(listing, "file")}
    labelled = _read_table(labels, "file", "time", "x0", "y0", "x1", "y1", "valence", "arousal")
    poses = np.full((len(labelled), 3), np.nan)
    with _reported(report):
        poses = _clip_poses(folder / "videos_blendshapes.npz", labelled)
    rows: dict[str, list[TeacherRow]] = defaultdict(list)
    for number, row in enumerate(labelled):
        if row["x0"] and row["valence"] and row["file"] in listed:
            height_px = _number(listed[row["file"]].get("height"))
            rows[row["file"]].append(_teacher_row(row, f"{labels}:{number + 2}", height_px, poses[number]))
    clips = []
    for name in listed:
        if name in rows:
            person, split = people.get(name, (name, ""))
            clips.append(Clip(folder / name, person, split, rows[name]))
    return clips


def read_people(file: Path | None) -> dict[str, tuple[str, str]]:
    """Clip → person and split, from a CSV with the columns file, person, split."""
    if file is None:
        return {}
    return {row["file"]: (row["person"], row["split"]) for row in _read_table(file, "file", "person", "split")}


@dataclass(frozen=True, slots=True)
class _Packed:
    """Pictures as they are stored, votes (N, 10) and poses (N, 3) of one file."""

    pictures: list[np.ndarray]
    votes: np.ndarray
    pose: np.ndarray


def _read_votes(file: Path, report: Report, *, held_out: bool) -> _Packed | None:
    """None where the file holds no votes, as a teacher's file, or no picture to score."""
    arrays = read_arrays(file, "webp", "offsets", "votes", "split")
    votes = arrays.get("votes")
    if votes is None:
        return None
    if missing := {"webp", "offsets"} - arrays.keys():
        raise ConfigError(f"{file}: lacks the array {sorted(missing)[0]!r}; expected webp, offsets and votes")
    webp, offsets, split = arrays["webp"], arrays["offsets"], arrays.get("split", np.full(len(votes), TRAINING + 1))
    if votes.ndim != 2 or votes.shape[1] < len(EMOTIONS):
        raise ConfigError(f"{file}: votes have the shape {votes.shape}; expected one row a picture, ten votes each")
    if len(offsets) != len(votes) + 1 or len(split) != len(votes):
        raise ConfigError(f"{file}: {len(votes)} rows of votes do not fit {len(offsets)} offsets and {len(split)} "
                          "splits; expected one offset more than rows, and as many splits")  # fmt: skip
    rows = np.flatnonzero(split != TRAINING) if held_out else np.arange(len(votes))
    if not len(rows):
        report(f"{file}: all pictures are of the Training part; --clips all scores them")
    pose = np.full((len(votes), 3), np.nan)
    with _reported(report):
        pose = _still_poses(file.with_name(f"{file.stem}_teacher.npz"), len(votes))
    return _Packed([webp[offsets[row] : offsets[row + 1]] for row in rows], votes[rows], pose[rows])


def _still_poses(file: Path, count: int) -> np.ndarray:
    """(N, 3) angles of the pictures of the file beside this one; NaN where there is none."""
    rotation = read_arrays(file, "rotation").get("rotation") if file.is_file() else None
    if rotation is None:
        return np.full((count, 3), np.nan)
    return _checked_poses(rotation, file, count, "pictures")


def _clip_poses(file: Path, labelled: Sequence[dict[str, str]]) -> np.ndarray:
    """(N, 3) angles of the rows of the labels; NaN where there is no such file."""
    arrays = read_arrays(file, "rotation", "frame") if file.is_file() else {}
    if "rotation" not in arrays:
        return np.full((len(labelled), 3), np.nan)
    frames = [_number(row.get("frame")) for row in labelled]
    if len(arrays["rotation"]) == len(frames) and not np.array_equal(arrays.get("frame", frames), frames):
        raise ConfigError(
            f"{file}: its frames are not those of videos_teacher.csv, row by row; head poses are left out"
        )
    return _checked_poses(arrays["rotation"], file, len(labelled), "labelled faces")


def _checked_poses(rotation: np.ndarray, file: Path, count: int, what: str) -> np.ndarray:
    if len(rotation) != count or rotation[0].size != 9:
        raise ConfigError(f"{file}: rotation has the shape {rotation.shape}; expected 9 numbers for each of {count} "
                          f"{what}; head poses are left out")  # fmt: skip
    return pose_angles(rotation)


@contextmanager
def _reported(report: Report) -> Iterator[None]:
    """What is wrong with one file ends the block and is reported; the rest of the part goes on."""
    try:
        yield
    except ConfigError as error:
        report(str(error))


def _projection(root: Path) -> np.ndarray:
    """(8, 2) valence and arousal per emotion: the folder's own table, or the built-in one."""
    file = root / "teacher" / "teacher.json"
    if not file.is_file():
        return np.array([CIRCUMPLEX[emotion] for emotion in EMOTIONS])
    try:
        table = json.loads(file.read_text(encoding="utf-8"))["valence_arousal"]
        return np.array([table[emotion] for emotion in EMOTIONS], np.float64).reshape(len(EMOTIONS), 2)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: {error!r}; expected valence_arousal with a pair of numbers per emotion") from None


def _read_table(file: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV that has these columns."""
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            table = csv.DictReader(lines, restval="")
            rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{file}: cannot be read as CSV ({error})") from None
    if missing := [column for column in columns if column not in (table.fieldnames or ())]:
        raise ConfigError(f"{file}: lacks the column {missing[0]!r}; expected {', '.join(columns)}")
    return rows


def _teacher_row(row: dict[str, str], where: str, frame_height_px: float, pose: np.ndarray) -> TeacherRow:
    yaw, pitch, roll = pose.tolist()
    try:
        x0, y0, x1, y1 = (float(row[key]) for key in ("x0", "y0", "x1", "y1"))
        return TeacherRow(
            float(row["time"]),
            Box(x0, y0, x1 - x0, y1 - y0),
            float(row["valence"]),
            float(row["arousal"]),
            (y1 - y0) * frame_height_px,
            (yaw, pitch, roll),
        )
    except ValueError as error:
        raise ConfigError(f"{where}: {error}; expected numbers for time, box, valence and arousal") from None


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
