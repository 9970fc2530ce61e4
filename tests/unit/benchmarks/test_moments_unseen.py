"""The benchmark of `moments` on unseen people: what it counts, and what it calls chance."""

import numpy as np
import pytest

from benchmarks.methods.moments_unseen import _rows, found_by
from train.methods.stochastic_softmax.moments.data import Sequences

PEOPLE, EACH, CLIPS = 8, 30, 5


def stretches() -> Sequences:
    """Each shows its class in one clip, drawn anew: those of a person tell nothing of each other."""
    count = PEOPLE * EACH
    shown = np.zeros((count, CLIPS), np.float32)
    shown[np.arange(count), np.random.default_rng(1).integers(0, CLIPS, count)] = 1.0
    owners = np.repeat(np.arange(PEOPLE), EACH)
    return Sequences(np.zeros((count, CLIPS, 2), np.float32), np.ones(count, np.int64), shown, owners)


def test_weights_that_know_the_moment_are_told_from_chance() -> None:
    own = stretches()
    for row in _rows(found_by([own.shown], own)):
        assert row["heaviest clip is the right one"] == row["high"] == 1.0
        assert row["chance"] == pytest.approx(0.2, abs=0.06) and row["p"] < 0.01  # type: ignore[operator]
        assert (row["people"], row["stretches"]) == (PEOPLE, PEOPLE * EACH)


def test_weights_that_know_nothing_are_within_chance() -> None:
    own = stretches()
    blind = [np.random.default_rng(seed).random(own.shown.shape).astype(np.float32) for seed in (2, 3)]
    for row in _rows(found_by(blind, own)):
        assert row["low"] < row["chance"] < row["high"]  # type: ignore[operator]
        assert row["p"] > 0.05  # type: ignore[operator]


def test_stretches_without_a_moment_do_not_count() -> None:
    own = stretches()
    own.shown[:EACH] = 0.5
    (row, _) = _rows(found_by([own.shown], own))
    assert (row["people"], row["stretches"]) == (PEOPLE - 1, (PEOPLE - 1) * EACH)
