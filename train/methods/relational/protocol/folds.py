"""Evaluation protocols: every clip of the test parts is predicted once, by a model that has not seen its subject.

What a fold trains is up to the caller; here are the scores: per output, over the pooled predictions of all folds, with
bootstrap intervals over recordings, and of each fold by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from ....data.records import ClipRecord
from ....data.splits import Fold, check_subjects
from ....errors import TrainingError
from ....metrics.regression import Metric, bootstrap_interval, ccc, mae, pcc, rmse
from .data import labels

METRICS: dict[str, Metric] = {"mae": mae, "rmse": rmse, "pcc": pcc, "ccc": ccc}

FitAndPredict = Callable[[Fold], Tensor]


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of one output; low and high bound its bootstrap interval, None with a single recording."""

    output: str
    metric: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ProtocolReport:
    """pooled: over the predictions of all folds together. folds: name of the fold → its own scores, output by output.

    The mean of the folds' scores is no substitute for the pooled ones: a fold of one subject hardly varies, and
    concordance inside it means little.
    """

    clips: int
    recordings: int
    pooled: tuple[Score, ...]
    folds: dict[str, dict[str, dict[str, float]]]

    def rows(self) -> list[dict[str, object]]:
        """The pooled scores as rows of a table."""
        return [asdict(score) for score in self.pooled]


def evaluate(
    records: Sequence[ClipRecord],
    folds: Sequence[Fold],
    outputs: Sequence[str],
    fit_and_predict: FitAndPredict,
    *,
    seed: int = 0,
) -> ProtocolReport:
    """Run every fold and score what it predicts of its test part.

    outputs:         names of the labels, in the order of the predictions' columns
    fit_and_predict: trains on a fold and returns (N, L), a row for each of its test clips
    seed:            of the bootstrap

    Raises:
        DataError: a subject is on two sides of a fold.
        TrainingError: a clip is tested twice, or predictions are not finite or of another shape.
    """
    _check_folds(records, folds)
    predicted: list[Tensor] = []
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for fold in folds:
        pred = fit_and_predict(fold).detach().to(torch.float64)
        truth = labels(records, fold.test, outputs)
        if pred.shape != truth.shape or not bool(pred.isfinite().all()):
            raise TrainingError(f"{fold.name}: expected {tuple(truth.shape)} finite predictions, a row per test clip; "
                                f"found {tuple(pred.shape)}")  # fmt: skip
        predicted.append(pred)
        values = {name: metric(pred, truth).tolist() for name, metric in METRICS.items()}
        scores[fold.name] = {
            output: {name: values[name][column] for name in METRICS} for column, output in enumerate(outputs)
        }
    rows = [row for fold in folds for row in fold.test]
    recordings = [records[row].video for row in rows]
    pooled = _pooled(torch.cat(predicted), labels(records, rows, outputs), outputs, recordings, seed)
    return ProtocolReport(len(rows), len(set(recordings)), pooled, scores)


def _check_folds(records: Sequence[ClipRecord], folds: Sequence[Fold]) -> None:
    tested: set[int] = set()
    for fold in folds:
        check_subjects(records, fold)
        if not fold.test:
            raise TrainingError(f"{fold.name}: has no clip to test on")
        if twice := tested.intersection(fold.test):
            raise TrainingError(f"{fold.name}: {records[min(twice)].key} was tested in an earlier fold already")
        tested.update(fold.test)


def _pooled(
    pred: Tensor, truth: Tensor, outputs: Sequence[str], recordings: Sequence[str], seed: int
) -> tuple[Score, ...]:
    found = []
    for name, metric in METRICS.items():
        low: list[float | None] = [None] * len(outputs)
        high = low
        if len(set(recordings)) > 1:
            interval = bootstrap_interval(metric, pred, truth, recordings, seed=seed)
            low, high = interval.low.tolist(), interval.high.tolist()
        values = metric(pred, truth).tolist()
        found += [Score(*score) for score in zip(outputs, [name] * len(outputs), values, low, high, strict=True)]
    return tuple(found)
