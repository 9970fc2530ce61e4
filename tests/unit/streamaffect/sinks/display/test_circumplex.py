import msgspec
import pytest
from rich.cells import cell_len

from streamaffect.sinks.display.circumplex import circumplex
from streamaffect.sinks.display.lines import FACE_COLOURS, FADED_COLOUR, Line
from streamaffect.sinks.display.state import FaceState
from tests.support.feeder import Feeder

COLUMNS, ROWS = 31, 15


def face_at(valence: float | None, arousal: float | None, *, track: int = 7, status: str = "ok") -> FaceState:
    estimate = msgspec.structs.replace(
        Feeder().estimate(track, 0, 5.0), valence=valence, arousal=arousal, status=status
    )
    return FaceState(slot=0, estimate=estimate, seen_ns=0)


def texts(lines: list[Line]) -> list[str]:
    return ["".join(segment.text for segment in line) for line in lines]


def place_of(mark: str, lines: list[str]) -> tuple[int, int]:
    """(column, row) of a character that occurs once."""
    ((column, row),) = [(line.index(mark), row) for row, line in enumerate(lines) if mark in line]
    return column, row


@pytest.mark.parametrize(
    ("valence", "arousal", "column", "row"),
    [(0.0, 0.0, 15, 7), (1.0, 1.0, 30, 0), (-1.0, -1.0, 0, 14), (1.0, -1.0, 30, 14), (-9.0, 9.0, 0, 0)],
)
def test_the_point_lies_where_valence_is_across_and_arousal_upwards(
    valence: float, arousal: float, column: int, row: int
) -> None:
    assert place_of("●", texts(circumplex([face_at(valence, arousal)], COLUMNS, ROWS))) == (column, row)


def test_the_number_of_the_track_stands_beside_the_point_on_the_side_with_room() -> None:
    inside = texts(circumplex([face_at(0.3, 0.5)], COLUMNS, ROWS))
    at_the_edge = texts(circumplex([face_at(1.0, 0.5)], COLUMNS, ROWS))
    assert any("●7" in line for line in inside)
    assert any("7●" in line for line in at_the_edge)


def test_the_corners_name_their_quadrants() -> None:
    lines = texts(circumplex([], COLUMNS, ROWS))
    assert lines[0].startswith("tense")
    assert lines[0].endswith("excited")
    assert lines[-1].startswith("sad")
    assert lines[-1].endswith("calm")


def test_an_uncertain_estimate_is_a_ring_and_an_abstaining_one_has_no_point() -> None:
    held = "".join(texts(circumplex([face_at(0.3, 0.5, status="held")], COLUMNS, ROWS)))
    none = "".join(texts(circumplex([face_at(None, None, status="abstain")], COLUMNS, ROWS)))
    assert "○" in held
    assert "●" not in held
    assert "○" not in none
    assert "●" not in none


def test_the_trail_thins_out_with_age() -> None:
    """A face that moves evenly from left to right leaves more dots near its end than at its beginning."""
    face = face_at(-0.9, 0.5)
    for step in range(41):
        moved = msgspec.structs.replace(
            Feeder().estimate(7, step, step / 10), valence=-0.9 + 1.8 * step / 40, arousal=0.5, status="ok"
        )
        face.take(moved, 0)
    empty = texts(circumplex([], COLUMNS, ROWS))
    row = place_of("●", texts(circumplex([face], COLUMNS, ROWS)))[1]
    drawn = texts(circumplex([face], COLUMNS, ROWS))[row]
    dots = [
        (ord(cell) - 0x2800).bit_count() if "⠀" <= cell <= "⣿" and cell != before else 0
        for cell, before in zip(drawn, empty[row], strict=True)
    ]
    assert 0 < sum(dots[2:9]) < sum(dots[18:25])


@pytest.mark.parametrize(("columns", "rows"), [(15, 7), (31, 15), (71, 35)])
def test_every_line_has_the_width_of_the_plane(columns: int, rows: int) -> None:
    lines = texts(circumplex([face_at(0.9, 0.9, track=123456789)], columns, rows))
    assert len(lines) == rows
    assert {cell_len(line) for line in lines} == {columns}


@pytest.mark.parametrize("colour", [*FACE_COLOURS, FADED_COLOUR])
def test_every_colour_is_legible_on_white_and_on_black(colour: str) -> None:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert 1.05 / (luminance + 0.05) >= 3.0
    assert (luminance + 0.05) / 0.05 >= 3.0
