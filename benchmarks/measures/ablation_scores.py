"""Scores of the variants of stage 2, and their differences to the full model on the same pictures and people.

The interval of a difference comes from drawing pictures, or people with all their clips, again with replacement, for
both models and all seeds alike. It says how far the difference would hold on other faces; how far seeds differ is told
by their range.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.measures.ablated_stage import AblatedStage, Predictions
from benchmarks.measures.agreement import Measured, ccc, mean_recall, measure, median, pcc
from train.methods.relational.evaluate import MOVING, VideoFeatures

OUTPUTS = ("valence", "arousal")

Score = Callable[[np.ndarray, np.ndarray], float]  # predictions (N,) and truth (N,)


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. pred: takes what it scores, (N, S), out of a variant's predictions; truth (N,); groups: of N rows."""

    name: str
    score: Score
    pred: Callable[[Predictions], np.ndarray]
    truth: np.ndarray
    groups: list[str]

    def of_seeds(self, predictions: Predictions) -> list[float]:
        """The figure with each seed."""
        return [self.score(column, self.truth) for column in self.pred(predictions).T]

    def difference(self, predictions: Predictions, full: Predictions) -> Measured:
        """The mean over seeds, less that of the full model."""
        return measure(
            partial(_difference, self.score), self.groups, self.pred(predictions), self.pred(full), self.truth
        )


def metrics(stage: AblatedStage, pictures: str) -> list[Metric]:
    """Accuracy, mean recall and concordance on pictures; concordance and correlation inside the reported clips."""
    return [*_picture_metrics(stage, pictures), *_clip_metrics(stage.videos)]


def _picture_metrics(stage: AblatedStage, name: str) -> list[Metric]:
    held_out = stage.stills.held_out
    clear = np.flatnonzero(held_out.is_clear)
    emotion = held_out.stills.emotions.argmax(axis=1)[clear]
    found: list[Metric] = []
    if len(clear):
        scores: tuple[tuple[str, Score], ...] = (("accuracy", _accuracy), ("mean recall", mean_recall))
        found += [
            Metric(f"{name}: {title}", score, lambda one: one.guess[clear], emotion, _each(clear))
            for title, score in scores
        ]
    everyone = _each(np.arange(len(held_out.stills)))
    for column, output in enumerate(OUTPUTS):
        truth = held_out.stills.affect[:, column].astype(np.float64)
        found.append(Metric(f"{name}: CCC, {output}", ccc, partial(_affect, column=column), truth, everyone))
    return found


def _clip_metrics(videos: VideoFeatures) -> list[Metric]:
    truth = videos.truth.numpy().astype(np.float64)
    people = [video.person for video in videos.videos for _ in video.pictures]
    starts = np.cumsum([0, *(len(video.pictures) for video in videos.videos)])
    frames = [np.arange(first, last) for first, last in itertools.pairwise(starts)]
    found = []
    for column, output in enumerate(OUTPUTS):
        labels = truth[:, column]
        found.append(Metric(f"reported clips: CCC, {output}", ccc, partial(_clips, column=column), labels, people))
        moving = [number for number, rows in enumerate(frames) if labels[rows].std() > MOVING]
        if moving:
            inside = partial(_inside, column=column, clips=[frames[number] for number in moving], truth=labels)
            owners = [videos.videos[number].person for number in moving]
            name = f"reported clips: median correlation inside a clip, {output}"
            found.append(Metric(name, _median, inside, np.zeros(len(moving)), owners))
    return found


def _difference(score: Score, pred: np.ndarray, full: np.ndarray, truth: np.ndarray) -> float:
    """pred, full: (N, S)."""
    each = [score(ours, truth) - score(theirs, truth) for ours, theirs in zip(pred.T, full.T, strict=True)]
    return float(np.mean(each))


def _accuracy(guess: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean(guess == truth))


def _median(correlations: np.ndarray, _: np.ndarray) -> float:
    return median(correlations)


def _affect(predictions: Predictions, *, column: int) -> np.ndarray:
    return predictions.affect[:, :, column].astype(np.float64)


def _clips(predictions: Predictions, *, column: int) -> np.ndarray:
    return predictions.clips[:, :, column].astype(np.float64)


def _inside(predictions: Predictions, *, column: int, clips: Sequence[np.ndarray], truth: np.ndarray) -> np.ndarray:
    """(clips, S) correlations inside each clip."""
    pred = _clips(predictions, column=column)
    return np.array([[pcc(seed, truth[rows]) for seed in pred[rows].T] for rows in clips])


def _each(rows: np.ndarray) -> list[str]:
    """Every picture is a group of its own."""
    return [str(row) for row in rows]
