"""Figures of single pictures: crowd-labelled face crops, what spoils them, and pairs of one person's faces.

Every estimate comes from `streamaffect.analyze_image`. A picture on which the stream abstains counts as an error where
classes are counted, and is left out, but counted, where numbers are compared.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measures.agreement import Measured, ccc, lost_ccc, mean, mean_recall, measure, median
from benchmarks.measures.degradations import DEGRADATIONS
from benchmarks.measures.face_data import EMOTIONS, CrowdFaces, Report
from streamaffect import Estimate
from streamaffect.types import ImageArray

AFFECT = ("valence", "arousal")
NO_EMOTION = -1
CROWD, PAIRS = "FER+", "London pairs"

Analyse = Callable[[ImageArray], list[Estimate]]
Advance = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table. part: the data that it was measured on."""

    part: str
    name: str
    measured: Measured
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the model says of N pictures.

    affect:   (N, 2) valence and arousal, NaN where it abstains
    interval: (N, 2, 2) low and high per output, NaN where it gives none
    emotion:  (N,) number of the strongest emotion, NO_EMOTION where there is none
    """

    affect: np.ndarray
    interval: np.ndarray
    emotion: np.ndarray

    @property
    def is_answered(self) -> np.ndarray:
        """(N,) bool."""
        return np.asarray(np.isfinite(self.affect).all(axis=1))


def answer(pictures: list[ImageArray], analyse: Analyse, advance: Advance) -> Answers:
    """Ask for one picture after the other."""
    estimates = []
    for picture in pictures:
        found = analyse(picture)
        estimates.append(found[0] if found else None)
        advance()
    return Answers(
        affect=np.array([_affect(estimate) for estimate in estimates], np.float64),
        interval=np.array([_interval(estimate) for estimate in estimates], np.float64),
        emotion=np.array([_emotion(estimate) for estimate in estimates], np.int64),
    )


def crowd_figures(faces: CrowdFaces, answers: Answers) -> list[Figure]:
    """Accuracy and recall on clear majorities, concordance with the projected votes, coverage of the intervals."""
    return [*_class_figures(faces, answers), *_affect_figures(faces, answers), *_coverage_figures(faces, answers)]


def robustness_figures(faces: CrowdFaces, clean: Answers, analyse: Analyse, advance: Advance) -> list[Figure]:
    """Loss of concordance when all pictures are spoilt in one way, against the same pictures as they are."""
    figures = []
    for name, spoil in DEGRADATIONS.items():
        spoilt = answer([spoil(picture) for picture in faces.pictures], analyse, advance)
        rows = np.flatnonzero(clean.is_answered & spoilt.is_answered)
        note = _unanswered(len(faces.pictures) - len(rows))
        for column, output in enumerate(AFFECT if len(rows) else ()):
            before, after, truth = (values[rows, column] for values in (clean.affect, spoilt.affect, faces.affect))
            lost = measure(lost_ccc, _each(rows), before, after, truth)
            figures.append(Figure(CROWD, f"{name}: loss of CCC, {output}", lost, note))
    return figures


def pair_figures(
    pairs: list[tuple[str, Path, Path]], analyse: Analyse, advance: Advance, report: Report
) -> list[Figure]:
    """Share of people whose smile has a higher valence than their neutral face; the face is found by the detector.

    A person with a picture that cannot be read is reported and left out.
    """
    people, gains, unanswered = [], [], []
    for person, *files in pairs:
        advance()
        pictures = [cv2.imread(str(file), cv2.IMREAD_COLOR) for file in files]
        if broken := [str(file) for file, picture in zip(files, pictures, strict=True) if picture is None]:
            report(f"{' and '.join(broken)}: cannot be read as a picture")
            continue
        people.append(person)
        neutral, smiling = (_valence(analyse(np.asarray(picture, np.uint8))) for picture in pictures)
        if neutral is None or smiling is None:
            unanswered.append(person)
        gains.append(np.nan if neutral is None or smiling is None else smiling - neutral)
    if not people:
        return []
    gain = np.array(gains, np.float64)
    is_above = (gain > 0).astype(np.float64)  # False where there is no estimate
    note = f"{int(is_above.sum())} of {len(gain)}"
    if unanswered:
        note += f"; no estimate for {', '.join(unanswered)}"
    figures = [Figure(PAIRS, "smile above neutral", measure(mean, people, is_above), note)]
    rows = np.flatnonzero(np.isfinite(gain))
    if len(rows):
        figures.append(
            Figure(PAIRS, "median gain of valence", measure(median, [people[row] for row in rows], gain[rows]))
        )
    return figures


def coverage(interval: np.ndarray, truth: np.ndarray, groups: list[str]) -> Measured:
    """Share of rows whose truth (N,) lies in its interval (N, 2)."""
    inside = (interval[:, 0] <= truth) & (truth <= interval[:, 1])
    return measure(mean, groups, inside)


def _class_figures(faces: CrowdFaces, answers: Answers) -> list[Figure]:
    if (answers.emotion == NO_EMOTION).all():
        return []
    truth, strongest = faces.votes.argmax(axis=1), faces.votes.max(axis=1)
    figures = []
    for name, count in (("all votes", faces.total), ("the emotion votes", faces.votes.sum(axis=1))):
        rows = np.flatnonzero(strongest > count / 2)
        guess, label, each = answers.emotion[rows], truth[rows], _each(rows)
        note = _unanswered(int((guess == NO_EMOTION).sum()))
        figures += [
            Figure(CROWD, f"8-class accuracy, more than half of {name}", measure(mean, each, guess == label), note),
            Figure(CROWD, f"mean recall, more than half of {name}", measure(mean_recall, each, guess, label), note),
        ]
    return figures + _recall_figures(answers.emotion, truth, strongest > faces.total / 2)


def _recall_figures(guess: np.ndarray, truth: np.ndarray, is_clear: np.ndarray) -> list[Figure]:
    """Of each emotion, the share that is recognised, where it has more than half of all votes."""
    rows_of = {emotion: np.flatnonzero(is_clear & (truth == number)) for number, emotion in enumerate(EMOTIONS)}
    return [
        Figure(CROWD, f"recall of {emotion}", measure(mean, _each(rows), guess[rows] == truth[rows]))
        for emotion, rows in rows_of.items()
        if len(rows)
    ]


def _affect_figures(faces: CrowdFaces, answers: Answers) -> list[Figure]:
    rows = np.flatnonzero(answers.is_answered)
    note = _unanswered(len(answers.affect) - len(rows))
    return [
        Figure(
            CROWD,
            f"CCC to the votes, {output}",
            measure(ccc, _each(rows), answers.affect[rows, column], faces.affect[rows, column]),
            note,
        )
        for column, output in enumerate(AFFECT if len(rows) else ())
    ]


def _coverage_figures(faces: CrowdFaces, answers: Answers) -> list[Figure]:
    """On every second picture only: recipes calibrate on the others."""
    odd = np.arange(1, len(faces.pictures), 2)
    rows = odd[np.isfinite(answers.interval[odd]).all(axis=(1, 2))]
    return [
        Figure(
            CROWD,
            f"coverage of 90 % intervals, {output}",
            coverage(answers.interval[rows, column], faces.affect[rows, column], _each(rows)),
        )
        for column, output in enumerate(AFFECT if len(rows) else ())
    ]


def _affect(estimate: Estimate | None) -> tuple[float, float]:
    if estimate is None or estimate.valence is None or estimate.arousal is None:
        return np.nan, np.nan
    return estimate.valence, estimate.arousal


def _interval(estimate: Estimate | None) -> tuple[tuple[float, float], tuple[float, float]]:
    if estimate is None or estimate.valence_interval is None or estimate.arousal_interval is None:
        return (np.nan, np.nan), (np.nan, np.nan)
    return estimate.valence_interval, estimate.arousal_interval


def _emotion(estimate: Estimate | None) -> int:
    shares = estimate.outputs.get("emotions", {}) if estimate else {}
    if not set(EMOTIONS) <= shares.keys():
        return NO_EMOTION
    return max(range(len(EMOTIONS)), key=lambda index: shares[EMOTIONS[index]])


def _valence(estimates: list[Estimate]) -> float | None:
    return estimates[0].valence if estimates else None


def _each(rows: np.ndarray) -> list[str]:
    """Every picture is a group of its own."""
    return [str(row) for row in rows]


def _unanswered(count: int) -> str:
    return f"{count} without an estimate" if count else ""
