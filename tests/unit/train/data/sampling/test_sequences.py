"""Frames of training windows and evaluation clips by the published protocol."""

import numpy as np
import pytest

from train.data.sampling.sequences import SequenceConfig, evaluation_sequence, sequence_from, training_sequence

SMALL = SequenceConfig(frames=4, window=1)


def test_a_training_window_is_in_order_and_wraps_once() -> None:
    sequence = training_sequence(100, SMALL, np.random.default_rng(5))
    assert sequence.shape == (3, 4)
    assert set(np.diff(sequence.ravel()).tolist()) <= {1, -99}


def test_a_recording_that_is_too_short_still_fills_the_window() -> None:
    sequence = training_sequence(4, SMALL, np.random.default_rng(5))
    assert sequence.shape == (3, 4)
    assert set(sequence.ravel().tolist()) <= {0, 1, 2, 3}


def test_windows_start_everywhere() -> None:
    generator = np.random.default_rng(1)
    assert {int(training_sequence(10, SMALL, generator)[0, 0]) for _ in range(300)} == set(range(10))


def test_a_window_begins_where_it_is_told_to() -> None:
    assert sequence_from(20, SMALL, 7).tolist() == [[7, 8, 9, 10], [11, 12, 13, 14], [15, 16, 17, 18]]


def test_evaluation_covers_the_recording_and_masks_the_end() -> None:
    found = evaluation_sequence(6, SMALL)
    assert found.frames.tolist() == [[0, 1, 2, 3], [4, 5, 5, 5]]
    assert found.genuine.tolist() == [[True] * 4, [True, True, False, False]]


@pytest.mark.parametrize(("reference", "first"), [(False, [0, 0, 1]), (True, [1, 0, 2])])
def test_the_context_of_the_first_clip_stays_inside_or_wraps_as_published(reference: bool, first: list[int]) -> None:
    config = SequenceConfig(frames=4, window=1, reference=reference)
    assert evaluation_sequence(12, config).context[0].tolist() == first


def test_the_defaults_are_the_published_values() -> None:
    config = SequenceConfig()
    assert (config.frames, config.window, config.every, config.clips) == (16, 2, 8, 5)
