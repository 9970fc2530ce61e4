"""Counts of wrong outcomes, and what they say of the true share."""

import pytest

from benchmarks.measures.faces.counts import Count


@pytest.mark.parametrize(
    ("wrong", "of", "low", "high"), [(0, 100, 0.0, 0.037), (10, 100, 0.055, 0.174), (5, 5, 0.566, 1.0)]
)
def test_the_interval_is_wilsons(wrong: int, of: int, low: float, high: float) -> None:
    assert Count("a", "b", wrong, of).interval == pytest.approx((low, high), abs=0.001)


def test_nothing_says_nothing() -> None:
    count = Count("a", "b", 0, 0)
    assert (count.share, count.interval) == (0.0, (0.0, 1.0))
