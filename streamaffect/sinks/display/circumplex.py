"""The circumplex: valence from left to right, arousal upwards, a fading trail for each face.

Trails are drawn in braille, which has 2 × 4 dots in each cell; a dot is about as wide as it is high, so a plane of
2n + 1 columns and n rows is square. Age shows twice, as a fading colour and as thinning dots, so that it survives
without colour.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from math import cos, pi, sin

from rich.segment import Segment
from rich.style import Style

from streamaffect.sinks.display.lines import BOLD, FAINT, PLAIN, Line, face_style, faded_style
from streamaffect.sinks.display.state import FaceState, Sample

TRAIL_S = 4.0
FADES = (0.0, 0.2, 0.45, 0.7)
KEEP_EVERY_DOT = (1, 1, 2, 3)
GAP_NS = 500_000_000
NAMED_AXES_ROWS = 11
CORNERS = (("tense", 0, 0), ("excited", 1, 0), ("sad", 0, 1), ("calm", 1, 1))

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


class BrailleCanvas:
    """A grid of cells, each 2 × 4 dots, with single characters laid over the dots."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self._dots = [0] * (columns * rows)
        self._glyphs = [" "] * (columns * rows)
        self._styles = [PLAIN] * (columns * rows)

    def copy(self) -> "BrailleCanvas":
        """A canvas with the same picture."""
        other = BrailleCanvas(0, 0)
        other.columns, other.rows = self.columns, self.rows
        other._dots, other._glyphs, other._styles = self._dots[:], self._glyphs[:], self._styles[:]
        return other

    def dot(self, x: int, y: int, style: Style) -> None:
        """Set the dot x from the left and y from the top. Its style becomes the cell's, and replaces what is faint."""
        cell = (y >> 2) * self.columns + (x >> 1)
        if self._styles[cell] is FAINT and style is not FAINT:
            self._dots[cell] = 0
        self._styles[cell] = style
        self._dots[cell] |= _DOTS[y & 3][x & 1]

    def line(self, start: tuple[int, int], end: tuple[int, int], style: Style, *, every: int = 1) -> None:
        """Set every n-th dot of the straight line between two dots."""
        (x0, y0), (x1, y1) = start, end
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(0, steps + 1, every):
            self.dot(x0 + (x1 - x0) * step // steps, y0 + (y1 - y0) * step // steps, style)

    def write(self, column: int, row: int, text: str, style: Style) -> None:
        """Lay characters of one cell each over the dots."""
        for offset, character in enumerate(text):
            if 0 <= column + offset < self.columns and 0 <= row < self.rows:
                cell = row * self.columns + column + offset
                self._dots[cell], self._glyphs[cell], self._styles[cell] = 0, character, style

    def lines(self) -> list[Line]:
        """The picture as lines, neighbours of one style joined."""
        return [self._line(row * self.columns) for row in range(self.rows)]

    def _line(self, start: int) -> Line:
        cells = slice(start, start + self.columns)
        text = "".join(
            chr(0x2800 + dots) if dots else glyph
            for dots, glyph in zip(self._dots[cells], self._glyphs[cells], strict=True)
        )
        line: Line = []
        begin = 0
        for style, run in groupby(self._styles[cells]):
            end = begin + len(list(run))
            line.append(Segment(text[begin:end], style))
            begin = end
        return line


def circumplex(faces: Sequence[FaceState], columns: int, rows: int) -> list[Line]:
    """The plane with the trails and the present points of the faces; both sizes must be odd to have a centre."""
    canvas = _plane(columns, rows).copy()
    for face in faces:
        _draw_trail(canvas, face)
    for face in faces:
        _draw_point(canvas, face)
    return canvas.lines()


@lru_cache(maxsize=4)
def _plane(columns: int, rows: int) -> BrailleCanvas:
    """The empty plane: the unit circle, the axes with ticks at ±0.5, and a word in each corner."""
    canvas = BrailleCanvas(columns, rows)
    around = max(24, columns * 3)
    for step in range(around):
        angle = 2 * pi * step / around
        canvas.dot(*_dot(canvas, cos(angle), sin(angle)), FAINT)
    _draw_axes(canvas)
    for word, right, bottom in CORNERS:
        canvas.write((columns - len(word)) * right, (rows - 1) * bottom, word, FAINT)
    return canvas


def _draw_axes(canvas: BrailleCanvas) -> None:
    middle_column, middle_row = canvas.columns // 2, canvas.rows // 2
    canvas.write(0, middle_row, "─" * canvas.columns, FAINT)
    for row in range(canvas.rows):
        canvas.write(middle_column, row, "│", FAINT)
    for tick in (-0.5, 0.0, 0.5):
        x, y = _dot(canvas, tick, tick)
        canvas.write(x // 2, middle_row, "┼", FAINT)
        canvas.write(middle_column, y // 4, "┼", FAINT)
    if canvas.rows < NAMED_AXES_ROWS:
        return
    canvas.write(middle_column + 2, 1, "arousal", FAINT)
    canvas.write(canvas.columns - len("valence") - 1, middle_row + 1, "valence", FAINT)


def _dot(canvas: BrailleCanvas, valence: float, arousal: float) -> tuple[int, int]:
    """The dot of a point of [-1, 1]²; what lies outside goes to the border."""
    last_x, last_y = 2 * canvas.columns - 1, 4 * canvas.rows - 1
    x = round((max(-1.0, min(1.0, valence)) + 1) / 2 * last_x)
    y = round((1 - max(-1.0, min(1.0, arousal))) / 2 * last_y)
    return x, y


def _draw_trail(canvas: BrailleCanvas, face: FaceState) -> None:
    """The last seconds, oldest first, so that the newest wins a cell."""
    newest = Sample(face.estimate.t_capture_ns, face.estimate.valence, face.estimate.arousal)
    trail = [*_since(face, newest.t_ns - round(TRAIL_S * 1e9)), newest]
    for earlier, later in pairwise(trail):
        if earlier.valence is None or earlier.arousal is None or later.valence is None or later.arousal is None:
            continue
        if later.t_ns - earlier.t_ns > GAP_NS:
            continue
        age = (newest.t_ns - later.t_ns) / 1e9 / TRAIL_S
        level = min(len(FADES) - 1, int(age * len(FADES)))
        canvas.line(
            _dot(canvas, earlier.valence, earlier.arousal),
            _dot(canvas, later.valence, later.arousal),
            faded_style(face.slot, FADES[level]),
            every=KEEP_EVERY_DOT[level],
        )


def _since(face: FaceState, start_ns: int) -> list[Sample]:
    recent: list[Sample] = []
    for sample in reversed(face.history):
        if sample.t_ns < start_ns:
            break
        recent.append(sample)
    return recent[::-1]


def _draw_point(canvas: BrailleCanvas, face: FaceState) -> None:
    """A disc, or a ring while the estimate is not a full one, with the number of the track beside it."""
    estimate = face.estimate
    if estimate.valence is None or estimate.arousal is None:
        return
    x, y = _dot(canvas, estimate.valence, estimate.arousal)
    column, row = x // 2, y // 4
    label = str(estimate.track)
    fits_right = column + 1 + len(label) <= canvas.columns
    canvas.write(column + 1 if fits_right else column - len(label), row, label, BOLD)
    mark = "●" if estimate.status == "ok" else "○"
    canvas.write(column, row, mark, face_style(face.slot, bold=True))
