"""Lines of styled text of an exact width in terminal cells: the material that the dashboard is made of.

A line is a list of rich segments. Lines are put together by hand and not by rich's tables, since a redraw ten times a
second must cost less than a twentieth of a core. Everything is drawn in Unicode and turned into ASCII at the very end
where the terminal asks for it.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

Line = list[Segment]

PLAIN = Style()
BOLD = Style(bold=True)
FAINT = Style(dim=True)
ALARM = Style(bold=True, reverse=True)

# Each has a contrast of at least 3 : 1 on white and on black, and so has the grey into which they fade.
FACE_COLOURS = ("#2f81f7", "#d9730d", "#1a9a4b", "#c44fb5", "#e0443e", "#0f9aa8", "#8b6cf0", "#a68300")
FADED_COLOUR = "#808080"

_BRAILLE = range(0x2800, 0x2900)
_ASCII: dict[int, int | str] = {
    **{code: " .:+*#"[min(5, (code - 0x2800).bit_count())] for code in _BRAILLE},
    **str.maketrans("▁▂▃▄▅▆▇█", "_..-~=^#"),
    **str.maketrans("●○─┄│┼━╴╶╸╺╼╾├┤┝┥┿┽┾", "@o--|+=--====||||+++"),
    **str.maketrans("−·–—…“”→↑", '-.--~"">^'),
}


def face_style(slot: int, *, bold: bool = False) -> Style:
    """The colour of the face in this slot."""
    return _coloured(FACE_COLOURS[slot % len(FACE_COLOURS)], bold)


@lru_cache(maxsize=256)
def faded_style(slot: int, share: float) -> Style:
    """The colour of a face, faded by a share in [0, 1] towards grey."""
    start = Color.parse(FACE_COLOURS[slot % len(FACE_COLOURS)]).get_truecolor()
    end = Color.parse(FADED_COLOUR).get_truecolor()
    mixed = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return Style(color=Color.from_rgb(*mixed), dim=share > 0.6)


@lru_cache(maxsize=64)
def _coloured(colour: str, bold: bool) -> Style:  # noqa: FBT001  (a cache key)
    return Style(color=colour, bold=bold)


@lru_cache(maxsize=1024)
def clean(text: str) -> str:
    """Text from outside without anything that could move the cursor or change its colour."""
    return "".join(character if character.isprintable() else "?" for character in text)


def clip(text: str, width: int) -> str:
    """Text of at most `width` cells, ending in an ellipsis where it was longer."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Text of exactly `width` cells, at its left or its right end."""
    clipped = clip(text, width)
    space = " " * (width - cell_len(clipped))
    return space + clipped if right else clipped + space


def wrap(text: str, width: int, max_lines: int) -> list[str]:
    """Text broken at spaces into at most `max_lines` lines of at most `width` cells; an ellipsis shows a cut."""
    words = text.split()
    lines: list[str] = []
    while words and len(lines) < max_lines:
        line = words.pop(0)
        while words and cell_len(line) + 1 + cell_len(words[0]) <= width:
            line = f"{line} {words.pop(0)}"
        lines.append(line)
    if words and lines:
        lines[-1] = f"{lines[-1]} {' '.join(words)}"
    return [clip(line, width) for line in lines]


def line(text: str, style: Style = PLAIN) -> Line:
    """A line of one style."""
    return [Segment(text, style)]


def fit(segments: Line, width: int) -> Line:
    """A line of exactly `width` cells, cut or filled with spaces."""
    return Segment.adjust_line_length(segments, width, style=PLAIN)


def beside(left: Sequence[Line], right: Sequence[Line], *, left_width: int, gap: int) -> list[Line]:
    """Two blocks of lines next to each other; the shorter one is filled with empty lines."""
    space = Segment(" " * gap, PLAIN)
    rows = max(len(left), len(right))
    return [
        [
            *fit(left[row] if row < len(left) else [], left_width),
            space,
            *(right[row] if row < len(right) else []),
        ]
        for row in range(rows)
    ]


class Screenful:
    """A whole picture: exactly `height` lines of exactly `width` cells. A rich renderable."""

    def __init__(self, lines: Iterable[Line], *, width: int, height: int) -> None:
        fitted = [fit(segments, width) for segments in lines][:height]
        fitted += [fit([], width) for _ in range(height - len(fitted))]
        self.lines: list[Line] = fitted

    def for_terminal(self, *, ascii_only: bool) -> list[Line]:
        """The lines in the characters that the terminal can show."""
        if not ascii_only:
            return self.lines
        return [[Segment(_to_ascii(text), style) for text, style, _ in segments] for segments in self.lines]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = self.for_terminal(ascii_only=options.ascii_only)
        for index, segments in enumerate(lines):
            if index:
                yield Segment.line()
            yield from segments


def _to_ascii(text: str) -> str:
    """Text of the same width in cells in printable ASCII."""
    translated = text.translate(_ASCII)
    if translated.isascii():
        return translated
    return "".join(letter if letter.isascii() else "?" * cell_len(letter) for letter in translated)
