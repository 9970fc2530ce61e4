"""The clips with a teacher's labels: `videos/videos_teacher.csv` joined to the shards that `prepare` cut."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamaffect.faces.boxes import iou
from streamaffect.types import Box, FloatArray, ImageArray

from ..errors import DataError
from .guidance import guidance
from .prepare import FaceShard, read_shard, shard_path, skipped_videos
from .stills import EMOTIONS, with_channels
from .tables import read_table

LEAST_OVERLAP = 0.2  # of the teacher's box and the tracked one: both show the same face


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """One person's face over time.

    pictures: crops as those of `Stills`; time_s: (M,) float64, increasing
    affect:   (M, 2) float32 teacher's valence and arousal; emotions: (M, 8) float32 teacher's shares
    guidance: as that of `Stills`
    """

    name: str
    person: str
    pictures: list[ImageArray]
    time_s: np.ndarray
    affect: FloatArray
    emotions: FloatArray
    guidance: FloatArray | None = None


TeacherRow = dict[str, str]
TEACHER_COLUMNS = ("file", "frame", "x0", "y0", "x1", "y1", "valence", "arousal", *(f"p_{name}" for name in EMOTIONS))
ROW = "row"  # the place of a line in the teacher's table, added to it


def teacher_rows(root: Path) -> dict[str, dict[int, TeacherRow]]:
    """Per video: frame number → the teacher's row, where it found a face."""
    file = root / "videos" / "videos_teacher.csv"
    rows: dict[str, dict[int, TeacherRow]] = defaultdict(dict)
    for number, row in enumerate(read_table(file, TEACHER_COLUMNS)):
        cells = row.cells
        if cells["x0"] and cells["valence"]:
            rows[cells["file"]][int(cells["frame"])] = cells | {ROW: str(number)}
    return dict(rows)


def teacher_blendshapes(root: Path) -> FloatArray | None:
    """`videos/videos_blendshapes.npz`: (rows of the teacher's table, 52), NaN where it saw none; may be absent."""
    file = root / "videos" / "videos_blendshapes.npz"
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        return np.asarray(arrays["blendshapes"], np.float32)


def read_people(file: Path) -> dict[str, tuple[str, str]]:
    """Per video: who it shows, and the split of that person. A person in two splits is refused."""
    people: dict[str, tuple[str, str]] = {}
    splits: dict[str, str] = {}
    for row in read_table(file, ("file", "person", "split")):
        person, split = row.cells["person"], row.cells["split"]
        if splits.setdefault(person, split) != split:
            raise DataError(f"{file}: {person} is in {splits[person]} and in {split}; a person belongs to one split")
        people[row.cells["file"]] = (person, split)
    return people


def load_videos(
    root: Path, shards: Path, people: dict[str, tuple[str, str]], split: str, *, colour: bool = False
) -> list[LabelledVideo]:
    """The labelled videos of one split, without those in which no labelled face was tracked."""
    rows, blendshapes = teacher_rows(root), teacher_blendshapes(root)
    unreadable = skipped_videos(shards)
    videos = []
    for name, (person, its_split) in people.items():
        if its_split != split or name not in rows or name in unreadable:
            continue
        shard = shard_path(shards, name)
        if not shard.exists():
            raise DataError(f"{shard}: missing; run `python -m train prepare` with the same recipe first")
        video = _join((name, person), read_shard(shard), rows[name], blendshapes, colour=colour)
        if len(video.pictures):
            videos.append(video)
    return videos


def _join(
    owner: tuple[str, str],
    faces: FaceShard,
    rows: dict[int, TeacherRow],
    blendshapes: FloatArray | None,
    *,
    colour: bool,
) -> LabelledVideo:
    best: dict[int, tuple[float, int]] = {}
    for index, frame in enumerate(faces.frames.tolist()):
        if frame in rows:
            overlap = iou(Box(*faces.boxes[index].tolist()), _teacher_box(rows[frame]))
            best[frame] = max(best.get(frame, (LEAST_OVERLAP, -1)), (overlap, index))
    chosen = [(frame, index) for frame, (_, index) in sorted(best.items()) if index >= 0]
    kept = np.array([at for _, at in chosen], np.int64)
    labels = [rows[frame] for frame, _ in chosen]
    affect = np.array([[float(row["valence"]), float(row["arousal"])] for row in labels], np.float32).reshape(-1, 2)
    shares = np.array([[float(row[f"p_{emotion}"]) for emotion in EMOTIONS] for row in labels], np.float32)
    shares = shares.reshape(-1, len(EMOTIONS))
    shares /= shares.sum(axis=1, keepdims=True)
    seen = None if blendshapes is None else blendshapes[[int(row[ROW]) for row in labels]]
    known = None if seen is None else np.asarray(np.isfinite(seen).all(axis=1))
    return LabelledVideo(
        *owner,
        pictures=[with_channels(faces.crops[at], colour=colour) for at in kept.tolist()],
        time_s=faces.time_s[kept],
        affect=affect,
        emotions=shares,
        guidance=guidance(affect, shares, seen, known),
    )


def _teacher_box(row: TeacherRow) -> Box:
    x0, y0, x1, y1 = (float(row[key]) for key in ("x0", "y0", "x1", "y1"))
    return Box(x0, y0, x1 - x0, y1 - y0)
