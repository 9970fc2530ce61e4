"""Divisions of labelled clips for training and evaluation in which no subject is on two sides."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .records import ClipRecord

Rows = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """Numbers of the clips to train on, to make choices on, and to report. Each clip is in at most one of them."""

    name: str
    train: Rows
    valid: Rows
    test: Rows


def leave_one_subject_out(records: Sequence[ClipRecord], *, valid_subjects: int = 0, seed: int = 0) -> list[Fold]:
    """One fold per subject, who is its test part.

    valid_subjects: of the others, so many are drawn for choices. The published protocol has none and chooses on the
                    test subject, which is optimistic
    """
    return [
        _fold(records, subject, {subject}, valid_subjects, [seed, number])
        for number, subject in enumerate(_subjects(records, least=2 + valid_subjects))
    ]


def subject_folds(records: Sequence[ClipRecord], count: int, *, valid_subjects: int = 0, seed: int = 0) -> list[Fold]:
    """`count` folds; every subject is in the test part of exactly one, and the parts hold about equally many clips."""
    if count < 2:
        raise DataError(f"{count} folds: cross-validation needs at least 2")
    subjects = _subjects(records, least=count + valid_subjects)
    clips = Counter(record.subject for record in records)
    shuffled = np.random.default_rng(seed).permutation(len(subjects)).tolist()
    tests: list[set[str]] = [set() for _ in range(count)]
    # Those with most clips first, each into the part that has fewest so far; the shuffle breaks ties.
    for subject in sorted((subjects[index] for index in shuffled), key=lambda name: -clips[name]):
        min(tests, key=lambda part: sum(clips[name] for name in part)).add(subject)
    return [
        _fold(records, f"fold {number + 1}", test, valid_subjects, [seed, number]) for number, test in enumerate(tests)
    ]


def fixed_split(records: Sequence[ClipRecord]) -> Fold:
    """The data set's own split.

    Raises:
        DataError: there is no training or no test part, a clip is in none, or a subject is in two.
    """
    parts = {name: _rows(records, name) for name in ("train", "valid", "test")}
    for name in ("train", "test"):
        if not parts[name]:
            raise DataError(f"no clip is in the split {name!r}; fill the column split, or divide by subject")
    if (left := len(records) - sum(len(rows) for rows in parts.values())) > 0:
        raise DataError(f"{left} clips are in no split; expected train, valid or test for every clip")
    fold = Fold("fixed split", **parts)
    check_subjects(records, fold)
    return fold


def check_subjects(records: Sequence[ClipRecord], fold: Fold) -> None:
    """Raise DataError where a subject is on two sides."""
    side_of: dict[str, str] = {}
    for side, rows in (("train", fold.train), ("valid", fold.valid), ("test", fold.test)):
        for row in rows:
            subject = records[row].subject
            if side_of.setdefault(subject, side) != side:
                raise DataError(f"{fold.name}: subject {subject} is in {side_of[subject]} and in {side}; a model "
                                "would be tested on a face that it has learned")  # fmt: skip


def _fold(records: Sequence[ClipRecord], name: str, test: set[str], valid_subjects: int, seed: list[int]) -> Fold:
    others = [subject for subject in _subjects(records) if subject not in test]
    drawn = np.random.default_rng(seed).choice(len(others), valid_subjects, replace=False)
    valid = {others[index] for index in drawn.tolist()}
    side = ["test" if one.subject in test else "valid" if one.subject in valid else "train" for one in records]
    return Fold(
        name, *(tuple(row for row, its in enumerate(side) if its == part) for part in ("train", "valid", "test"))
    )


def _subjects(records: Sequence[ClipRecord], *, least: int = 1) -> list[str]:
    subjects = sorted({record.subject for record in records})
    if len(subjects) < least:
        raise DataError(f"{len(subjects)} subjects are too few to divide so; at least {least} are needed")
    return subjects


def _rows(records: Sequence[ClipRecord], split: str) -> Rows:
    return tuple(row for row, record in enumerate(records) if record.split == split)
