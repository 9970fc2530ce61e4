"""By how much one clock is ahead of another, in spite of jitter, bursts and clocks that are set anew."""

import numpy as np
import pytest

from streamaffect.sources.sound.offsets import READINGS, ClockOffset


def test_late_readings_count_little() -> None:
    offset = ClockOffset()
    late_s = np.random.default_rng(3).exponential(0.03, 200)
    for number, late in enumerate(late_s):
        offset.note(7.0 + number * 0.04 + late, number * 0.04)
    assert offset.is_settled
    assert offset.seconds == pytest.approx(7.0, abs=0.02)


def test_a_burst_after_a_stall_changes_nothing_for_long() -> None:
    offset = ClockOffset()
    for number in range(100):
        offset.note(7.0 + number * 0.04, number * 0.04)
    for number in range(100, 140):  # 1.6 s of them at once
        offset.note(7.0 + 140 * 0.04, number * 0.04)
        assert offset.seconds < 7.3
    for number in range(140, 140 + READINGS):
        offset.note(7.0 + number * 0.04, number * 0.04)
    assert offset.seconds == pytest.approx(7.0)


@pytest.mark.parametrize("jump_s", [-1000.0, 1000.0])
def test_a_clock_that_is_set_anew_is_followed_after_two_seconds(jump_s: float) -> None:
    offset = ClockOffset()
    for number in range(200):
        stamp_s = number * 0.04 + (jump_s if number >= 100 else 0.0)
        offset.note(7.0 + number * 0.04, stamp_s)
        assert offset.seconds == pytest.approx(7.0 if number < 150 else 7.0 - jump_s, abs=1e-6) or 150 <= number < 153
    assert offset.seconds == pytest.approx(7.0 - jump_s)
