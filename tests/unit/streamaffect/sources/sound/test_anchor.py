"""Where samples belong on the time line: counted, and anchored again where clock and count disagree."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.sources.sound.anchor import SLACK_S, Anchor, Piece
from streamaffect.types import FloatArray

RATE_HZ = 16_000


def samples(seconds: float) -> FloatArray:
    return np.ones(round(seconds * RATE_HZ), np.float32)


def spans(pieces: Iterable[Piece]) -> list[tuple[float, float, bool]]:
    return [(round(one.time_s, 6), round(one.time_s + len(one.samples) / RATE_HZ, 6), one.heard) for one in pieces]


def test_what_differs_by_less_than_the_slack_is_counted_on() -> None:
    anchor = Anchor(RATE_HZ)
    list(anchor.place(samples(0.1), 5.0))
    assert spans(anchor.place(samples(0.1), 5.1 + SLACK_S - 0.001)) == [(5.1, 5.2, True)]
    assert spans(anchor.place(samples(0.1), 5.2 - SLACK_S + 0.001)) == [(5.2, 5.3, True)]
    assert spans(anchor.place(samples(0.1), None)) == [(5.3, 5.4, True)]


def test_what_the_clock_has_skipped_is_a_gap_that_takes_no_memory() -> None:
    anchor = Anchor(RATE_HZ)
    list(anchor.place(samples(0.1), 0.0))
    gap, heard = anchor.place(samples(0.1), 3600.0)
    assert spans([gap, heard]) == [(0.1, 3600.0, False), (3600.0, 3600.1, True)]
    assert gap.samples.strides == (0,)
    assert not gap.samples.any()


def test_what_comes_a_second_time_is_left_out() -> None:
    anchor = Anchor(RATE_HZ)
    list(anchor.place(samples(1.0), 0.0))
    assert spans(anchor.place(samples(0.5), 0.2)) == []
    assert spans(anchor.place(samples(0.5), 0.7)) == [(1.0, 1.2, True)]


def test_a_late_start_is_no_gap_and_a_wild_time_stamp_fills_nothing() -> None:
    anchor = Anchor(RATE_HZ)
    assert spans(anchor.place(samples(0.1), 7.0)) == [(7.0, 7.1, True)]
    assert spans(anchor.place(samples(0.1), 1e9)) == [(1e9, 1e9 + 0.1, True)]


def test_a_clock_in_doubt_is_believed_to_the_sample_once() -> None:
    anchor = Anchor(RATE_HZ)
    list(anchor.place(samples(0.1), 0.0))
    anchor.doubt()
    assert spans(anchor.place(samples(0.1), 0.11)) == [(0.1, 0.11, False), (0.11, 0.21, True)]
    assert spans(anchor.place(samples(0.1), 0.22)) == [(0.21, 0.31, True)]


@pytest.mark.parametrize("drift", [-500e-6, 500e-6])
def test_drift_between_two_devices_is_followed_to_the_slack(drift: float) -> None:
    anchor = Anchor(RATE_HZ)
    worst = 0.0
    for number in range(3000):  # five minutes
        clock_s = number * 0.1 * (1 + drift)
        for piece in anchor.place(samples(0.1), clock_s):
            if piece.heard:
                worst = max(worst, abs(piece.time_s + len(piece.samples) / RATE_HZ - clock_s - 0.1))
    assert 0.02 < worst <= SLACK_S + 0.001


@given(st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(0, 2000)), max_size=30))
def test_pieces_never_overlap_and_leave_no_hole(arrivals: list[tuple[float, int]]) -> None:
    anchor = Anchor(RATE_HZ)
    end = None
    for time_s, count in arrivals:
        for piece in anchor.place(np.ones(count, np.float32), time_s):
            start = round(piece.time_s * RATE_HZ)
            assert end is None or start == end
            end = start + len(piece.samples)
