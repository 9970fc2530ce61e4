"""Order and balance of the stills within an epoch."""

import numpy as np

from train.data.stills import EMOTIONS, balance_weights, epoch_order


def test_an_epoch_shows_each_picture_as_often_as_its_weight_says() -> None:
    weights = np.array([0.5, 2.0, 1.0, 0.5, 3.0], np.float32)
    order = epoch_order(weights, seed=1, epoch=0)
    counts = np.bincount(order, minlength=5)
    assert len(order) == 7
    assert counts[[1, 2, 4]].tolist() == [2, 1, 3]
    assert counts[0] + counts[3] == 1


def test_an_epoch_depends_on_its_seed_and_number_alone() -> None:
    weights = np.ones(50, np.float32)
    first = epoch_order(weights, seed=1, epoch=4)
    assert np.array_equal(first, epoch_order(weights, seed=1, epoch=4))
    assert not np.array_equal(first, epoch_order(weights, seed=1, epoch=5))
    assert not np.array_equal(first, epoch_order(weights, seed=2, epoch=4))


def test_a_rare_emotion_weighs_more_and_the_mean_stays_one() -> None:
    emotions = np.zeros((100, len(EMOTIONS)), np.float32)
    emotions[:95, 0] = emotions[95:, 6] = 1
    weights = balance_weights(emotions, 0.5)
    assert weights[99] > 3 * weights[0]
    assert np.isclose(weights.mean(), 1)
    assert np.allclose(balance_weights(emotions, 0.0), 1)
