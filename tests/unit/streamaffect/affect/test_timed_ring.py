"""The ring of timed vectors under the clip buffer: order, age, look-up, and memory that does not grow."""

import numpy as np
import pytest

from streamaffect.affect.clips import TimedRing
from streamaffect.types import FloatArray


def row(value: float) -> FloatArray:
    return np.array([value], np.float32)


def ring_of(*times: float, keep_s: float = 100.0) -> TimedRing:
    ring = TimedRing(1, keep_s)
    for time_s in times:
        ring.push(time_s, row(time_s))
    return ring


def test_rows_come_back_in_the_order_of_time() -> None:
    ring = ring_of(1, 2, 5)
    assert ring.times.tolist() == [1, 2, 5]
    assert ring.vectors.ravel().tolist() == [1, 2, 5]


@pytest.mark.parametrize("time_s", [2.0, 1.5, float("nan")])
def test_a_time_that_does_not_increase_is_refused_and_changes_nothing(time_s: float) -> None:
    ring = ring_of(1, 2)
    with pytest.raises(ValueError, match="time must increase"):
        ring.push(time_s, row(0))
    assert ring.times.tolist() == [1, 2]


def test_the_first_time_must_be_a_number() -> None:
    with pytest.raises(ValueError, match="time must increase"):
        TimedRing(1, 1.0).push(float("nan"), row(0))


def test_what_is_older_than_the_kept_time_goes_and_what_is_exactly_as_old_stays() -> None:
    assert ring_of(0, 1, 2, 3, keep_s=2).times.tolist() == [1, 2, 3]


def test_after_a_long_silence_only_the_newest_row_is_left() -> None:
    assert ring_of(0, 1, 2, 99, keep_s=2).times.tolist() == [99]


def test_nearest_takes_the_earlier_of_two_equally_near_rows() -> None:
    ring = ring_of(0, 1, 3)
    assert ring.nearest(np.array([-5, 0.4, 0.5, 0.6, 2.0, 2.1, 9])).tolist() == [0, 0, 0, 1, 1, 2, 2]


def test_a_tie_is_a_tie_in_spite_of_rounding() -> None:
    ring = ring_of(0.1, 0.3)
    assert ring.nearest(np.array([0.1 + 0.1])).tolist() == [0]


def test_a_single_row_is_nearest_to_everything() -> None:
    assert ring_of(7).nearest(np.array([-1.0, 7, 99])).tolist() == [0, 0, 0]


def test_latest_before_takes_no_later_row_unless_there_is_no_earlier_one() -> None:
    assert ring_of(1, 2, 4).latest_before(np.array([0.5, 1, 3.9, 4, 8])).tolist() == [0, 0, 1, 2, 2]


def test_a_cleared_ring_may_start_earlier() -> None:
    ring = ring_of(5, 6)
    ring.clear()
    ring.push(1, row(1))
    assert ring.times.tolist() == [1]


def test_memory_stays_bounded_over_a_long_stream() -> None:
    ring = TimedRing(1, keep_s=10.0)
    for i in range(50_000):
        ring.push(i / 30, row(i))
    assert len(ring) == 301
    assert ring.vectors.ravel().tolist() == list(range(49_699, 50_000))
    allocated = ring.times.base
    assert allocated is not None
    assert allocated.size <= 4 * len(ring)


def test_a_ring_grows_to_what_it_must_keep() -> None:
    ring = ring_of(*(i / 1000 for i in range(5000)), keep_s=10.0)
    assert len(ring) == 5000
    assert ring.vectors[-1] == ring.times[-1].astype(np.float32)
