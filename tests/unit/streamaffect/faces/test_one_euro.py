import numpy as np
import pytest

from streamaffect.faces.one_euro import OneEuroFilter

ONE = np.ones(1)


def make_filter() -> OneEuroFilter:
    return OneEuroFilter(min_cutoff_hz=1.0, beta=8.0, speed_cutoff_hz=1.0)


def run(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    smooth = make_filter()
    return np.array([smooth(np.array([value]), float(time), ONE)[0] for value, time in zip(values, times, strict=True)])


def test_the_first_value_passes_unchanged() -> None:
    assert make_filter()(np.array([0.3, 0.7]), 5.0, np.ones(2)).tolist() == [0.3, 0.7]


def test_jitter_at_rest_shrinks_to_less_than_half() -> None:
    times = np.arange(0, 20, 1 / 30)
    jitter = np.random.default_rng(1).normal(0, 0.01, times.size)
    assert run(jitter, times)[60:].std() < 0.5 * jitter[60:].std()


def test_fast_motion_is_followed_within_a_twentieth_of_the_scale() -> None:
    times = np.arange(0, 2, 1 / 30)
    motion = 2.0 * times
    assert np.abs(run(motion, times) - motion).max() < 0.05


def test_the_lag_does_not_depend_on_the_frame_rate() -> None:
    def lag(fps: int) -> float:
        times = np.arange(0, 2, 1 / fps)
        return float((2.0 * times - run(2.0 * times, times))[-1])

    assert lag(60) == pytest.approx(lag(15), rel=0.2)


def test_a_larger_scale_smooths_the_same_motion_more() -> None:
    near, far = make_filter(), make_filter()
    for time in np.arange(0, 1, 0.04):
        tight = near(np.array([time]), float(time), ONE)
        loose = far(np.array([time]), float(time), 10 * ONE)
    assert loose[0] < tight[0]


def test_a_constant_stays_exactly_as_it_is() -> None:
    times = np.cumsum(np.random.default_rng(2).uniform(0.01, 0.3, 50))
    assert np.all(run(np.full(50, 0.25), times) == 0.25)


@pytest.mark.parametrize("time_s", [1.0, 0.5])
def test_time_that_does_not_grow_is_refused(time_s: float) -> None:
    smooth = make_filter()
    smooth(ONE, 1.0, ONE)
    with pytest.raises(ValueError, match="time must grow"):
        smooth(ONE, time_s, ONE)
