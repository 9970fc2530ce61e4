"""Windows over what a detector of action units saw in a video: one CSV per video, one row per face and frame.

The columns are those of Py-Feat: `frame`, `FaceScore`, `AU01` to `AU43`, seven expressions; others are ignored. A frame
without a face has an empty or zero `FaceScore`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from streamaffect.text.action_units import UNIT_NAMES
from streamaffect.types import FloatArray

from ...config import Count
from ...errors import DataError
from ..tables import TableRow, read_table

SEEN_EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
UNITS = tuple(UNIT_NAMES)
UNIT_COLUMNS = tuple(f"AU{unit:02d}" for unit in UNITS)
NOT_A_NUMBER = ("", "nan", "NaN")

Windows = Literal["blocks", "frames", "clip"]


class WindowConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the frames of a clip become prompts.

    train, valid: "blocks" of `hop` frames that do not overlap; "frames", a window around each; or the whole "clip"
    size:         of a window around a frame: half of it on each side, and the frame itself
    """

    train: Windows = "blocks"
    valid: Windows = "frames"
    hop: Count = 10
    size: Count = 20


@dataclass(frozen=True, slots=True)
class Faces:
    """The most confident face of every frame: units (F, 20) and expressions (F, 7), in the order of the constants here.

    found: (F,) bool; where it is False the other two are 0
    """

    units: FloatArray
    expressions: FloatArray
    found: np.ndarray

    def strongest(self, window: slice) -> tuple[Mapping[int, float], Mapping[str, float]] | None:
        """The highest value of every unit and expression in a window; None if no frame of it has a face."""
        if not self.found[window].any():
            return None
        units, expressions = self.units[window].max(axis=0), self.expressions[window].max(axis=0)
        return (
            dict(zip(UNITS, units.tolist(), strict=True)),
            dict(zip(SEEN_EXPRESSIONS, expressions.tolist(), strict=True)),
        )


def load_faces(file: Path) -> Faces:
    """Read one video.

    Raises DataError if the file is missing, lacks a column, has no row, or holds something that is no number.
    """
    best: dict[int, tuple[float, TableRow]] = {}
    for row in read_table(file, ("frame", "FaceScore", *UNIT_COLUMNS, *SEEN_EXPRESSIONS)):
        frame, score = int(row.number("frame", low=0)), _number(row, "FaceScore")
        if frame not in best or score > best[frame][0]:
            best[frame] = (score, row)
    if not best:
        raise DataError(f"{file}: has no row; a video without faces has one for every frame, with FaceScore 0")
    rows = [best[frame] for frame in sorted(best)]
    found = np.array([score > 0 for score, _ in rows])
    return Faces(_columns(rows, UNIT_COLUMNS), _columns(rows, SEEN_EXPRESSIONS), found)


def windows_of(frames: int, kind: Windows, config: WindowConfig) -> list[slice]:
    """The windows of a clip of so many frames, in order; at least one."""
    if kind == "clip":
        return [slice(0, frames)]
    if kind == "blocks":
        return [slice(start, min(start + config.hop, frames)) for start in range(0, frames, config.hop)]
    reach = config.size // 2
    return [slice(max(0, frame - reach), min(frame + reach + 1, frames)) for frame in range(frames)]


def _columns(rows: list[tuple[float, TableRow]], columns: tuple[str, ...]) -> FloatArray:
    values = [[_number(row, column) if score > 0 else 0.0 for column in columns] for score, row in rows]
    return np.array(values, np.float32)


def _number(row: TableRow, column: str) -> float:
    """0 where the detector found nothing."""
    return 0.0 if row.cells[column] in NOT_A_NUMBER else row.number(column)
