import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.sinks.display.bars import bar
from streamaffect.sinks.display.faces import FaceColumns, signed, sparkline, status_words
from streamaffect.sinks.display.state import FaceState
from tests.support.feeder import Feeder

VALUES = st.floats(-1.0, 1.0)
ODD_WIDTHS = st.integers(2, 20).map(lambda half: 2 * half + 1)


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (None, None, "     │     "),
        (0.0, (0.0, 0.0), "     ●     "),
        (0.6, None, "     ┝━━●  "),
        (0.6, (0.5, 0.7), "     ├──●╸ "),
        (-0.6, (-0.9, -0.3), "╺━●━─┤     "),
        (-0.6, (-0.9, 0.2), "╺━●━━┿━    "),
        (1.0, (0.8, 1.0), "     ├───╼●"),
    ],
)
def test_a_bar_has_a_stem_from_zero_a_stroke_over_the_interval_and_a_disc(
    value: float | None, interval: tuple[float, float] | None, expected: str
) -> None:
    assert bar(value, interval, 11) == expected


@given(value=VALUES, ends=st.tuples(VALUES, VALUES), width=ODD_WIDTHS)
def test_a_bar_has_its_width_and_its_disc_on_the_side_of_its_sign(
    value: float, ends: tuple[float, float], width: int
) -> None:
    drawn = bar(value, (min(ends), max(ends)), width)
    assert len(drawn) == width
    place = drawn.index("●")
    assert place <= width // 2 if value < 0 else place >= width // 2


@pytest.mark.parametrize(
    ("value", "expected"), [(0.314, "+0.31"), (-0.12, "−0.12"), (0.0, "+0.00"), (-0.001, "+0.00"), (None, "–")]
)
def test_a_value_has_a_sign_and_two_digits(value: float | None, expected: str) -> None:
    assert signed(value) == expected


def test_warming_tells_how_far_the_context_is() -> None:
    assert status_words(Feeder().estimate(1, 0, 1.6)) == "warming 50%"


@given(width=st.integers(1, 300), name=st.integers(6, 18))
def test_the_columns_of_a_row_never_need_more_than_the_width(width: int, name: int) -> None:
    columns = FaceColumns.for_width(width, name=name)
    used = columns.name + 2 * 6 + 12
    used += 2 * (columns.bar + 1) if columns.bar else 0
    used += columns.spark + 1 if columns.spark else 0
    used += columns.emotions * 15
    assert used <= max(width, name + 2 * 6 + 12)
    assert columns.bar % 2 == 1 or columns.bar == 0


def test_the_sparkline_rises_with_valence_and_is_empty_before_the_face_came() -> None:
    feeder = Feeder()
    face = FaceState(slot=0, estimate=feeder.estimate(1, 0, 0.0), seen_ns=0)
    for index in range(100):
        estimate = feeder.estimate(1, index, index / 10)
        face.take(estimate, 0)
    drawn = sparkline(face, 30)
    assert len(drawn) == 30
    assert drawn.startswith(" " * 9)
    assert drawn[-20:].strip() == drawn[-20:]
    means = [sum(s.valence or 0.0 for s in list(face.history)[5 * i : 5 * i + 5]) / 5 for i in range(20)]
    highest, lowest = means.index(max(means)), means.index(min(means))
    assert drawn[-20:][highest] > drawn[-20:][lowest]


def test_a_scrolling_sparkline_keeps_the_shape_of_what_is_over() -> None:
    feeder = Feeder()
    face = FaceState(slot=0, estimate=feeder.estimate(1, 0, 0.0), seen_ns=0)
    for index in range(50):
        face.take(feeder.estimate(1, index, index / 10), 0)
    before = sparkline(face, 8)
    for index in range(50, 55):
        face.take(feeder.estimate(1, index, index / 10), 0)
    assert sparkline(face, 8)[:-2] == before[1:-1]
