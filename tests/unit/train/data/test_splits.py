"""No subject on two sides, every clip tested once, the same division for the same seed."""

from pathlib import Path

import numpy as np
import pytest

from train.data.records import ClipRecord
from train.data.splits import Fold, check_subjects, fixed_split, leave_one_subject_out, subject_folds
from train.errors import DataError


def clip(number: int, subject: str, split: str = "") -> ClipRecord:
    return ClipRecord(f"clip {number}", f"video {number}", Path("x.mp4"), 0.0, None, subject, split, {"valence": 0.0})


def clips(*counts: int) -> list[ClipRecord]:
    """So many clips of each subject, in random order."""
    subjects = [f"s{index}" for index, count in enumerate(counts) for _ in range(count)]
    order = np.random.default_rng(3).permutation(len(subjects)).tolist()
    return [clip(number, subjects[index]) for number, index in enumerate(order)]


def all_folds(records: list[ClipRecord], *, valid_subjects: int) -> list[list[Fold]]:
    return [
        leave_one_subject_out(records, valid_subjects=valid_subjects, seed=4),
        subject_folds(records, 3, valid_subjects=valid_subjects, seed=4),
    ]


@pytest.mark.parametrize("valid_subjects", [0, 2])
def test_no_subject_is_on_two_sides_and_every_clip_on_one(valid_subjects: int) -> None:
    records = clips(5, 1, 9, 3, 4, 2, 2)
    for folds in all_folds(records, valid_subjects=valid_subjects):
        for fold in folds:
            sides = [{records[row].subject for row in rows} for rows in (fold.train, fold.valid, fold.test)]
            assert len(set().union(*sides)) == sum(len(side) for side in sides) == 7
            assert len(sides[1]) == valid_subjects
            assert sorted([*fold.train, *fold.valid, *fold.test]) == list(range(len(records)))


def test_every_clip_is_tested_exactly_once() -> None:
    records = clips(5, 1, 9, 3, 4)
    for folds in all_folds(records, valid_subjects=1):
        assert sorted(row for fold in folds for row in fold.test) == list(range(len(records)))


def test_one_subject_is_left_out_at_a_time() -> None:
    records = clips(2, 3)
    folds = leave_one_subject_out(records)
    assert [fold.name for fold in folds] == ["s0", "s1"]
    assert [{records[row].subject for row in fold.test} for fold in folds] == [{"s0"}, {"s1"}]


def test_folds_hold_about_equally_many_clips_even_if_subjects_do_not() -> None:
    sizes = [len(fold.test) for fold in subject_folds(clips(10, 1, 1, 1, 9, 8, 1, 1, 1), 3, seed=1)]
    assert max(sizes) - min(sizes) <= 1


def test_the_same_seed_gives_the_same_folds_and_another_seed_others() -> None:
    records = clips(*[2] * 12)
    assert subject_folds(records, 3, seed=1) == subject_folds(records, 3, seed=1)
    assert subject_folds(records, 3, seed=1) != subject_folds(records, 3, seed=2)


def test_too_few_subjects_are_refused() -> None:
    with pytest.raises(DataError, match="2 subjects are too few to divide so; at least 3"):
        subject_folds(clips(4, 4), 3)
    with pytest.raises(DataError, match="1 subjects are too few"):
        leave_one_subject_out(clips(4))
    with pytest.raises(DataError, match="1 folds"):
        subject_folds(clips(4, 4), 1)


def test_a_fixed_split_is_taken_as_it_is() -> None:
    records = [clip(0, "a", "test"), clip(1, "b", "train"), clip(2, "c", "valid"), clip(3, "b", "train")]
    assert fixed_split(records) == Fold("fixed split", train=(1, 3), valid=(2,), test=(0,))


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (("train", "train"), "no clip is in the split 'test'"),
        (("test", "test"), "no clip is in the split 'train'"),
        (("train", "test", ""), "1 clips are in no split"),
    ],
)
def test_an_incomplete_fixed_split_is_refused(splits: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fixed_split([clip(number, f"s{number}", split) for number, split in enumerate(splits)])


def test_a_subject_on_two_sides_is_refused_by_name() -> None:
    records = [clip(0, "anna", "train"), clip(1, "anna", "test")]
    with pytest.raises(DataError, match="subject anna is in train and in test"):
        fixed_split(records)
    with pytest.raises(DataError, match="by hand: subject anna is in train and in valid"):
        check_subjects(records, Fold("by hand", train=(0,), valid=(1,), test=()))
