"""Valence and arousal over the last half minute, for terminals with room to spare."""

from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter

from streamaffect.sinks.display.circumplex import GAP_NS, BrailleCanvas
from streamaffect.sinks.display.lines import FAINT, Line, face_style, line
from streamaffect.sinks.display.state import FaceState

COURSE_S = 30
ROWS_MIN, ROWS_MAX = 5, 11
WIDTH_MIN = 20
SCALE_WIDTH = 3


def course_blocks(faces: Sequence[FaceState], width: int, rows: int) -> list[Line]:
    """Both courses one above the other; valence alone, or nothing, where there is no room for more."""
    if width < WIDTH_MIN:
        return []
    for values in (("valence", "arousal"), ("valence",)):
        each = min(ROWS_MAX, rows // len(values) - 1)
        each -= 1 - each % 2  # odd, for a row at zero
        if each >= ROWS_MIN:
            return [segments for value in values for segments in _titled(value, faces, width, each)]
    return []


def _titled(value: str, faces: Sequence[FaceState], width: int, rows: int) -> list[Line]:
    title = line(f"{value}, the last {COURSE_S} s", FAINT)
    return [title, *_course(faces, width - SCALE_WIDTH, rows, value=value)]


def _course(faces: Sequence[FaceState], columns: int, rows: int, *, value: str) -> list[Line]:
    """One curve for each face; `value` names the field of a sample that is drawn."""
    canvas = BrailleCanvas(columns, rows)
    canvas.write(0, rows // 2, "┄" * columns, FAINT)
    for face in faces:
        style = face_style(face.slot)
        for earlier, later in pairwise(_points(face, value, 2 * columns, 4 * rows)):
            if earlier is not None and later is not None:
                canvas.line(earlier, later, style)
    scale = {0: "+1 ", rows // 2: " 0 ", rows - 1: "−1 "}
    return [[*line(scale.get(row, "   "), FAINT), *cells] for row, cells in enumerate(canvas.lines())]


def _points(face: FaceState, value: str, width: int, height: int) -> list[tuple[int, int] | None]:
    """The dots of a face's curve from the newest to the oldest, at most one for each column; None where it breaks.

    A column is a fixed stretch of the stream's clock, so that a curve scrolls by whole dots and keeps its shape.
    """
    column_ns = COURSE_S * 1_000_000_000 // width
    newest_column = face.estimate.t_capture_ns // column_ns
    points: list[tuple[int, int] | None] = []
    last_column, last_ns = -1, face.estimate.t_capture_ns
    level_of = attrgetter(value)
    for sample in reversed(face.history):
        column = newest_column - sample.t_ns // column_ns
        if column >= width:
            break
        if column == last_column:
            continue
        level: float | None = level_of(sample)
        if level is None or last_ns - sample.t_ns > GAP_NS:
            points.append(None)
        if level is not None:
            y = round((1 - max(-1.0, min(1.0, level))) / 2 * (height - 1))
            points.append((width - 1 - column, y))
        last_column, last_ns = column, sample.t_ns
    return points
