"""Index arithmetic of training windows and evaluation clips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.data.sampling.windows import (
    context_clips,
    evaluation_clips,
    evaluation_context,
    random_window,
    wrapped_window,
)


@given(count=st.integers(1, 40), size=st.integers(1, 120), data=st.data())
def test_a_window_has_its_size_starts_at_its_start_and_stays_in_the_video(
    count: int, size: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, count - 1))
    window = wrapped_window(count, size, start)
    assert window.shape == (size,)
    assert window[0] == start
    assert 0 <= window.min() <= window.max() < count


def test_a_start_outside_the_video_is_refused() -> None:
    with pytest.raises(ValueError, match="10 frames, found start 10"):
        wrapped_window(10, 4, start=10)


def test_random_windows_start_at_every_frame() -> None:
    generator = np.random.default_rng(3)
    starts = {int(random_window(5, 4, generator)[0]) for _ in range(200)}
    assert starts == {0, 1, 2, 3, 4}


def test_a_window_that_is_no_whole_number_of_clips_is_refused() -> None:
    with pytest.raises(ValueError, match="10 frames does not divide into clips of 4"):
        context_clips(np.arange(10), 4)


@given(count=st.integers(1, 100), frames=st.integers(1, 20))
def test_evaluation_clips_hold_every_frame_once_and_mark_the_rest(count: int, frames: int) -> None:
    clips = evaluation_clips(count, frames)
    assert clips.frames[clips.genuine].tolist() == list(range(count))
    assert (clips.frames[~clips.genuine] == count - 1).all()


def test_the_default_context_repeats_the_clips_at_the_ends_of_the_video() -> None:
    assert evaluation_context(3, 1).tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]


def test_the_published_context_is_circular_and_newest_first() -> None:
    assert evaluation_context(3, 1, reference=True).tolist() == [[1, 0, 2], [2, 1, 0], [0, 2, 1]]
