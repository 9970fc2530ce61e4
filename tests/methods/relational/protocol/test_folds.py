"""Scores of a protocol: pooled over folds, per fold, with intervals over recordings."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from train.data.records import ClipRecord
from train.data.splits import Fold, leave_one_subject_out
from train.errors import DataError, TrainingError
from train.methods.relational.protocol.data import labels
from train.methods.relational.protocol.folds import evaluate
from train.metrics.regression import ccc

OUTPUTS = ("valence", "arousal")


def records(subjects: int, videos: int, clips: int) -> list[ClipRecord]:
    """Clips whose labels depend on subject, video and clip."""
    generator = torch.Generator().manual_seed(2)
    found = []
    for subject in range(subjects):
        for video in range(videos):
            for number in range(clips):
                valence, arousal = (torch.randn(2, generator=generator) + subject).tolist()
                name = f"s{subject}/v{video}"
                found.append(
                    ClipRecord(f"{name}/{number}", name, Path("x.mp4"), 0.0, None, f"s{subject}", "",
                               {"arousal": arousal, "valence": valence})
                )  # fmt: skip
    return found


def noisy(clips: list[ClipRecord]) -> Callable[[Fold], Tensor]:
    """Predicts the truth with some error."""
    generator = torch.Generator().manual_seed(3)
    error = 0.5 * torch.randn(len(clips), 2, generator=generator)
    return lambda fold: labels(clips, fold.test, OUTPUTS) + error[list(fold.test)]


def test_the_pooled_score_is_that_of_all_predictions_together() -> None:
    clips = records(4, 3, 5)
    predict = noisy(clips)
    folds = leave_one_subject_out(clips)
    report = evaluate(clips, folds, OUTPUTS, predict)
    everything = Fold("all", (), (), tuple(range(len(clips))))
    expected = ccc(predict(everything), labels(clips, everything.test, OUTPUTS)).tolist()
    found = {score.output: score.value for score in report.pooled if score.metric == "ccc"}
    assert [found[output] for output in OUTPUTS] == pytest.approx(expected)
    assert (report.clips, report.recordings) == (60, 12)


def test_every_output_has_every_metric_with_its_interval_around_it() -> None:
    clips = records(4, 3, 5)
    report = evaluate(clips, leave_one_subject_out(clips), OUTPUTS, noisy(clips))
    assert {(score.output, score.metric) for score in report.pooled} == {
        (output, metric) for output in OUTPUTS for metric in ("mae", "rmse", "pcc", "ccc")
    }
    for score in report.pooled:
        assert score.low is not None
        assert score.high is not None
        assert score.low < score.value < score.high
    assert report.rows()[0].keys() == {"output", "metric", "value", "low", "high"}


def test_a_fold_is_scored_on_its_own_clips() -> None:
    clips = records(3, 2, 4)

    def wrong_about_the_first(fold: Fold) -> Tensor:
        return labels(clips, fold.test, OUTPUTS) + (1.0 if fold.name == "s0" else 0.0)

    report = evaluate(clips, leave_one_subject_out(clips), OUTPUTS, wrong_about_the_first)
    assert report.folds["s0"]["valence"]["mae"] == pytest.approx(1.0)
    assert report.folds["s1"]["valence"]["mae"] == 0.0


def test_labels_are_taken_by_name_whatever_their_order_in_the_record() -> None:
    (clip,) = records(1, 1, 1)
    assert labels([clip], [0], OUTPUTS).tolist() == [[clip.labels["valence"], clip.labels["arousal"]]]


def test_one_recording_has_no_interval() -> None:
    clips = records(2, 1, 4)
    fold = Fold("one", (), (), tuple(range(4)))
    report = evaluate(clips, [fold], OUTPUTS, noisy(clips))
    assert all(score.low is None and score.high is None for score in report.pooled)


def test_what_cannot_be_a_fair_evaluation_is_refused() -> None:
    clips = records(2, 1, 4)
    predict = noisy(clips)
    with pytest.raises(DataError, match="subject s0 is in train and in test"):
        evaluate(clips, [Fold("leak", (0,), (), (1,))], OUTPUTS, predict)
    with pytest.raises(TrainingError, match="second: s0/v0/1 was tested in an earlier fold"):
        evaluate(clips, [Fold("first", (), (), (0, 1)), Fold("second", (), (), (1, 2))], OUTPUTS, predict)
    with pytest.raises(TrainingError, match="empty: has no clip to test on"):
        evaluate(clips, [Fold("empty", (0,), (), ())], OUTPUTS, predict)


@pytest.mark.parametrize("predictions", [torch.zeros(3, 2), torch.full((4, 2), float("nan"))])
def test_predictions_of_another_shape_or_without_a_value_are_refused(predictions: Tensor) -> None:
    clips = records(1, 1, 4)
    with pytest.raises(TrainingError, match=r"expected \(4, 2\) finite predictions"):
        evaluate(clips, [Fold("one", (), (), (0, 1, 2, 3))], OUTPUTS, lambda _fold: predictions)
