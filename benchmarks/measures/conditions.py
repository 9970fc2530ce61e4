"""Error of valence and arousal by condition: how far a head is turned, how small, blurred or badly lit a face is.

The main figure is the mean absolute error. Concordance is given beside it, but it also depends on how much the labels
differ among the faces of one condition, so that it cannot be compared across conditions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from benchmarks.measures.agreement import ccc, mean, mean_absolute_error, measure
from benchmarks.measures.clip_figures import MatchedClip
from benchmarks.measures.condition_rows import ANSWERED, CONCORDANCE, ERROR
from benchmarks.measures.degradations import CONDITIONS, as_it_is
from benchmarks.measures.face_data import CrowdFaces
from benchmarks.measures.head_pose import ANGLES
from benchmarks.measures.still_figures import AFFECT, Advance, Analyse, Answers, Figure, answer

LEAST_ROWS = 10  # below these, an error says nothing
HEIGHT = "face height"


@dataclass(frozen=True, slots=True)
class Bin:
    """Values from `low` on and below `high`."""

    name: str
    low: float
    high: float


def _turned(angle: str) -> tuple[Bin, ...]:
    return (
        Bin(f"{angle} under 10°", -10, 10),
        Bin(f"{angle} 10 to 20°", 10, 20),
        Bin(f"{angle} 20 to 30°", 20, 30),
        Bin(f"{angle} over 30°", 30, inf),
    )


# Left and right are alike, and the model looks at stills mirrored too; up and down are not.
BINS: dict[str, tuple[Bin, ...]] = {
    "yaw": _turned("|yaw|"),
    "pitch": (
        Bin("down over 20°", -inf, -20),
        Bin("down 10 to 20°", -20, -10),
        Bin("within 10°", -10, 10),
        Bin("up 10 to 20°", 10, 20),
        Bin("up over 20°", 20, inf),
    ),
    "roll": _turned("|roll|"),
    HEIGHT: (
        Bin("under 48 px", 0, 48),
        Bin("48 to 96 px", 48, 96),
        Bin("96 to 192 px", 96, 192),
        Bin("over 192 px", 192, inf),
    ),
}
SIGNED = "pitch"
UNKNOWN = "no landmarks"


def pose_figures(faces: CrowdFaces, answers: Answers, part: str) -> list[Figure]:
    """By yaw, pitch and roll of labelled pictures; those without a pose stand apart, by the yaw."""
    if faces.pose is None:
        return []
    groups = [str(row) for row in range(len(answers.affect))]
    figures = []
    for column, angle in enumerate(ANGLES):
        for name, rows in _members(angle, faces.pose[:, column]):
            figures += _figures(
                f"{part} by {angle}", name, pred=answers.affect, truth=faces.affect, groups=groups, rows=rows
            )
    return figures


def spoilt_figures(
    faces: CrowdFaces, clean: Answers, rows: np.ndarray, analyse: Analyse, advance: Advance, *, part: str
) -> list[Figure]:
    """By size, blur and light of these rows of the pictures; each is spoilt in every way."""
    pictures, groups = [faces.pictures[row] for row in rows], [str(row) for row in rows]
    truth, everyone, figures = faces.affect[rows], np.arange(len(rows)), []
    for kind, conditions in CONDITIONS.items():
        for name, spoil in conditions.items():
            if spoil is as_it_is:
                affect = clean.affect[rows]
            else:
                affect = answer([spoil(picture) for picture in pictures], analyse, advance).affect
            figures += _figures(f"{part} by {kind}", name, pred=affect, truth=truth, groups=groups, rows=everyone)
    return figures


def clip_condition_figures(matched: list[MatchedClip], part: str) -> list[Figure]:
    """By yaw, pitch and height of the labelled faces of clips, as far as the labels tell them."""
    labels = [row for one in matched for row in one.clip.rows]
    groups = [one.clip.person for one in matched for _ in one.clip.rows]
    truth = np.array([(row.valence, row.arousal) for row in labels], np.float64).reshape(-1, 2)
    pred = np.concatenate([one.pred_of_all() for one in matched]) if matched else truth
    values = {angle: np.array([row.pose[column] for row in labels]) for column, angle in enumerate(ANGLES[:2])}
    values[HEIGHT] = np.array([row.height_px for row in labels])
    figures = []
    for kind, column in values.items():
        if np.isfinite(column).any():
            for name, rows in _members(kind, column):
                figures += _figures(f"{part} by {kind}", name, pred=pred, truth=truth, groups=groups, rows=rows)
    return figures


def _members(kind: str, values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Each condition with its rows."""
    size = values if kind == SIGNED else np.abs(values)
    for one in BINS[kind]:
        yield one.name, np.flatnonzero((one.low <= size) & (size < one.high))
    if kind == ANGLES[0]:
        yield UNKNOWN, np.flatnonzero(~np.isfinite(values))


def _figures(
    part: str, condition: str, *, pred: np.ndarray, truth: np.ndarray, groups: Sequence[str], rows: np.ndarray
) -> list[Figure]:
    """Share with an estimate among `rows`, and error and concordance of those. pred, truth: (N, 2)."""
    if len(rows) < LEAST_ROWS:
        return []
    is_answered = np.isfinite(pred[rows]).all(axis=1)
    share = measure(mean, [groups[row] for row in rows], is_answered.astype(np.float64))
    figures = [Figure(part, f"{condition}: {ANSWERED}", share)]
    used = rows[is_answered]
    if len(used) < LEAST_ROWS:
        return figures
    who = [groups[row] for row in used]
    scores: tuple[tuple[str, Callable[..., float]], ...] = ((ERROR, mean_absolute_error), (CONCORDANCE, ccc))
    for name, score in scores:
        for column, output in enumerate(AFFECT):
            labels = truth[used, column]
            note = f"standard deviation of the labels {labels.std():.2f}"
            measured = measure(score, who, pred[used, column], labels)
            figures.append(Figure(part, f"{condition}: {name}, {output}", measured, note))
    return figures
