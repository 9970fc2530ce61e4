"""Samples at a fixed rate: every tick once and in order, whatever comes when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.sinks.outlets.lsl.grid import HOLD_S, STANDSTILL_S, Grid

EMPTY = (-1.0,)


def ticks(grid: Grid, until_s: float) -> list[tuple[float, list[float]]]:
    return [(at_s, [sample[0] for sample in samples]) for at_s, samples in grid.due(until_s)]


def test_a_tick_says_what_was_known_then_and_not_what_came_later() -> None:
    grid = Grid(10.0, 2, EMPTY)
    grid.start(5.0)
    grid.put(0, 5.0, (1.0,))
    assert ticks(grid, 5.15) == [(5.0, [1.0, -1.0]), (5.1, [1.0, -1.0])]
    grid.put(1, 5.25, (2.0,))
    assert ticks(grid, 5.35) == [(5.2, [1.0, -1.0]), (5.3, [1.0, 2.0])]


def test_a_value_stands_for_a_while_and_a_face_that_left_has_none() -> None:
    grid = Grid(10.0, 1, EMPTY)
    grid.start(0.0)
    grid.put(0, 0.0, (1.0,))
    values = [samples[0] for _, samples in ticks(grid, 1.0)]
    assert values == [1.0] * round(HOLD_S * 10 + 1) + [-1.0] * round((1.0 - HOLD_S) * 10 - 1)
    grid.put(0, 1.0, (2.0,))
    grid.clear(0)
    assert ticks(grid, 1.05) == [(1.0, [-1.0])]


def test_before_the_start_there_are_no_ticks_and_a_second_start_changes_nothing() -> None:
    grid = Grid(10.0, 1, EMPTY)
    assert ticks(grid, 100.0) == []
    grid.start(1.0)
    grid.start(2.0)
    assert [at_s for at_s, _ in ticks(grid, 1.15)] == [1.0, 1.1]


def test_after_a_standstill_the_grid_goes_on_with_the_present() -> None:
    grid = Grid(10.0, 1, EMPTY)
    grid.start(5.0)
    assert len(ticks(grid, 6.0)) == 10
    assert ticks(grid, 3605.0) == []
    assert ticks(grid, 3605.15) == [(3605.0, [-1.0]), (3605.1, [-1.0])]


@given(st.lists(st.floats(0.0, STANDSTILL_S), max_size=20), st.sampled_from([1.0, 30.0, 29.97]))
def test_every_tick_comes_once_and_in_order_however_often_it_is_asked(ends_s: list[float], rate_hz: float) -> None:
    grid = Grid(rate_hz, 1, EMPTY)
    grid.start(0.0)
    found = [at_s for until_s in ends_s for at_s, _ in ticks(grid, until_s)]
    assert found == pytest.approx([number / rate_hz for number in range(len(found))])
    assert all(at_s < max(ends_s) for at_s in found)
