"""Scores of the accuracy benchmark, by hand and against their definitions."""

import numpy as np
import pytest

from benchmarks.measures import agreement, face_data, still_figures

HAPPINESS, ANGER = 1, 4


def test_concordance_is_one_for_equal_columns_and_falls_with_shift_and_scale() -> None:
    truth = np.array([-0.5, 0.0, 0.2, 0.9])
    assert agreement.ccc(truth, truth) == pytest.approx(1)
    assert agreement.ccc(-truth + 2 * truth.mean(), truth) == pytest.approx(-1)
    shift = 0.3
    assert agreement.ccc(truth + shift, truth) == pytest.approx(2 * truth.var() / (2 * truth.var() + shift**2))
    assert agreement.pcc(3 * truth + shift, truth) == pytest.approx(1)


def test_columns_that_do_not_vary_agree_in_nothing() -> None:
    flat, truth = np.zeros(4), np.array([0.0, 1.0, 0.0, 1.0])
    assert agreement.ccc(flat, truth) == 0
    assert agreement.pcc(flat, truth) == 0


def test_mean_recall_counts_every_class_the_same() -> None:
    truth = np.array([0] * 8 + [1] * 2)
    assert agreement.mean_recall(np.zeros(10, np.int64), truth) == pytest.approx(0.5)


def test_the_interval_is_wider_over_groups_than_over_the_rows_in_them() -> None:
    generator = np.random.default_rng(0)
    of_group = np.repeat(generator.normal(size=20), 30)
    rows = agreement.measure(agreement.mean, [str(row) for row in range(600)], of_group)
    groups = agreement.measure(agreement.mean, [str(row // 30) for row in range(600)], of_group)
    assert rows.value == groups.value == pytest.approx(of_group.mean())
    assert groups.high - groups.low > 3 * (rows.high - rows.low)
    assert (groups.count, groups.groups) == (600, 20)


def test_a_single_group_has_no_interval_but_its_value() -> None:
    found = agreement.measure(agreement.mean, ["one", "one"], np.array([0.0, 1.0]))
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)


def test_accuracy_is_counted_on_clear_majorities_and_abstaining_is_wrong() -> None:
    votes = np.zeros((4, 8))
    votes[:, HAPPINESS] = [10, 10, 5, 6]
    votes[:, ANGER] = [0, 0, 5, 0]
    faces = face_data.CrowdFaces([], votes, np.array([10, 10, 10, 12]), np.zeros((4, 2)))
    answers = still_figures.Answers(
        affect=np.zeros((4, 2)),
        interval=np.full((4, 2, 2), np.nan),
        emotion=np.array([HAPPINESS, still_figures.NO_EMOTION, ANGER, HAPPINESS]),
    )
    figures = {figure.name: figure for figure in still_figures.crowd_figures(faces, answers)}
    of_all = figures["8-class accuracy, more than half of all votes"]
    of_emotions = figures["8-class accuracy, more than half of the emotion votes"]
    assert (of_all.measured.value, of_all.measured.count, of_all.note) == (0.5, 2, "1 without an estimate")
    assert of_emotions.measured.value == pytest.approx(2 / 3)
    assert of_emotions.measured.count == 3
    assert figures["recall of happiness"].measured.value == 0.5
    assert "recall of anger" not in figures
