"""Figures of videos: agreement of the stream's estimates with a teacher's labels of the same face at the same time.

Every estimate comes from `streamaffect.analyze`. Groups are persons where the recipe's file names them, else clips.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.measures.agreement import ccc, measure, median, pcc
from benchmarks.measures.face_data import Clip, TeacherRow
from benchmarks.measures.still_figures import AFFECT, Figure, coverage
from streamaffect import Estimate
from streamaffect.errors import SourceError
from streamaffect.faces.boxes import iou

SAME_TIME_S = 0.025
LEAST_OVERLAP = 0.2
MOVING = 0.05  # standard deviation of the labels below which a correlation inside a clip means nothing
LEAST_ROWS = 10

Analyse = Callable[[Clip], Iterable[Estimate]]


@dataclass(frozen=True, slots=True)
class MatchedClip:
    """The labelled rows of a clip for which the stream has an estimate.

    at: (N,) their numbers in `clip.rows`; truth, pred: (N, 2); interval: (N, 2, 2)
    """

    clip: Clip
    at: np.ndarray
    truth: np.ndarray
    pred: np.ndarray
    interval: np.ndarray

    def pred_of_all(self) -> np.ndarray:
        """(M, 2) estimates of all labelled rows; NaN where there is none."""
        pred = np.full((len(self.clip.rows), 2), np.nan)
        pred[self.at] = self.pred
        return pred


def match_clips(
    clips: list[Clip], analyse: Analyse, advance: Callable[[], None]
) -> tuple[list[MatchedClip], list[str]]:
    """Run every clip through the stream; also what could not be used, as one line each."""
    matched, problems = [], []
    for clip in clips:
        try:
            matched.append(match(clip, analyse(clip)))
        except SourceError as error:
            problems.append(str(error))
        advance()
    return matched, problems


def match(clip: Clip, estimates: Iterable[Estimate]) -> MatchedClip:
    """Join a clip's rows to the estimates: the same time, and of the faces at that time the one that overlaps most."""
    usable = [one for one in estimates if one.valence is not None and one.arousal is not None and one.refines is None]
    times = np.array([_time_s(one) for one in usable])  # in order, since an offline stream is
    faces = [(at, one) for at, row in enumerate(clip.rows) if (one := _same_face(row, usable, times)) is not None]
    pairs = [(clip.rows[at], one) for at, one in faces]
    return MatchedClip(
        clip,
        at=np.array([at for at, _ in faces], np.int64),
        truth=np.array([(row.valence, row.arousal) for row, _ in pairs], np.float64).reshape(-1, 2),
        pred=np.array([(one.valence, one.arousal) for _, one in pairs], np.float64).reshape(-1, 2),
        interval=np.array(
            [(one.valence_interval or (np.nan, np.nan), one.arousal_interval or (np.nan, np.nan)) for _, one in pairs],
            np.float64,
        ).reshape(-1, 2, 2),
    )


def clip_figures(matched: list[MatchedClip], part: str) -> list[Figure]:
    """Concordance over all rows, median correlation inside a clip, coverage of the intervals."""
    used = [one for one in matched if len(one.truth)]
    if not used:
        return []
    groups = [one.clip.person for one in used for _ in one.truth]
    truth, pred, interval = (
        np.concatenate([getattr(one, name) for one in used]) for name in ("truth", "pred", "interval")
    )
    wanted = sum(len(one.clip.rows) for one in matched)
    note = f"{len(used)} of {len(matched)} clips, {len(truth)} of {wanted} labelled faces"
    figures = []
    for column, output in enumerate(AFFECT):
        agreement = measure(ccc, groups, pred[:, column], truth[:, column])
        figures.append(Figure(part, f"CCC to the teacher, {output}", agreement, note))
    figures += [figure for column in range(2) if (figure := _within_figure(used, column, part)) is not None]
    rows = np.flatnonzero(np.isfinite(interval).all(axis=(1, 2)))
    for column, output in enumerate(AFFECT) if len(rows) else ():
        covered = coverage(interval[rows, column], truth[rows, column], [groups[row] for row in rows])
        figures.append(Figure(part, f"coverage of 90 % intervals, {output}", covered))
    return figures


def _within_figure(matched: list[MatchedClip], column: int, part: str) -> Figure | None:
    moving = [one for one in matched if len(one.truth) >= LEAST_ROWS and one.truth[:, column].std() > MOVING]
    if not moving:
        return None
    values = np.array([pcc(one.pred[:, column], one.truth[:, column]) for one in moving])
    measured = measure(median, [str(one.clip.file) for one in moving], values)
    return Figure(part, f"median correlation inside a clip, {AFFECT[column]}", measured, "clips that move")


def _same_face(row: TeacherRow, estimates: list[Estimate], times: np.ndarray) -> Estimate | None:
    first, last = np.searchsorted(times, [row.time_s - SAME_TIME_S, row.time_s + SAME_TIME_S])
    if first == last:
        return None
    nearest = np.abs(times[first:last] - row.time_s).min()
    at_once = [estimates[i] for i in range(first, last) if abs(times[i] - row.time_s) <= nearest + 1e-6]
    best = max(at_once, key=lambda one: iou(one.box, row.box))
    return best if iou(best.box, row.box) >= LEAST_OVERLAP else None


def _time_s(estimate: Estimate) -> float:
    return estimate.t_capture_ns / 1e9 if estimate.pts_s is None else estimate.pts_s
