"""Tables of clinical ratings, one interview a row."""

from pathlib import Path

import pytest

from train.data.sets.ness import load_label_table
from train.errors import DataError

RANGES = {"N1": (1.0, 7.0), "N6": (1.0, 7.0), "total": (7.0, 49.0)}
HEADER = "path,subject,N1,N6,total,note"


def write_table(folder: Path, *rows: str, videos: tuple[str, ...] = ("a.mp4", "b.mp4")) -> Path:
    for video in videos:
        (folder / video).touch()
    table = folder / "ratings.csv"
    table.write_text("\n".join([HEADER, *rows]) + "\n")
    return table


def test_an_interview_carries_its_ratings_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    table = write_table(tmp_path, "a.mp4,p07,3,2,19,first visit")
    (record,) = load_label_table(table, tmp_path, RANGES).records
    assert list(record.labels.items()) == [("N1", 3.0), ("N6", 2.0), ("total", 19.0)]
    assert (record.subject, record.source, record.end_s) == ("p07", tmp_path / "a.mp4", None)


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    table.write_text("video,patient,N1\na.mp4,p07,3\n")
    clips = load_label_table(table, tmp_path, {"N1": (1.0, 7.0)}, path_column="video", subject_column="patient")
    assert clips.records[0].subject == "p07"


def test_interviews_without_a_rating_or_a_file_are_counted(tmp_path: Path) -> None:
    table = write_table(tmp_path, "a.mp4,p07,3,,19,", "gone.mp4,p08,1,1,7,", "b.mp4,p09,1,1,7,")
    clips = load_label_table(table, tmp_path, RANGES)
    assert [record.subject for record in clips.records] == ["p09"]
    assert clips.skipped == {"not rated in full": ("a.mp4",), "whose file is missing": ("gone.mp4",)}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b.mp4,p08,8,1,7,", "N1 is 8, expected a number from 1 to 7"),
        ("b.mp4,p08,x,1,7,", "N1 is 'x', expected a number"),
        ("b.mp4,,1,1,7,", "subject is empty"),
        ("a.mp4,p07,1,1,7,", r"a\.mp4 is already in line 2"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    table = write_table(tmp_path, "a.mp4,p07,3,2,19,", row)
    with pytest.raises(DataError, match=rf"ratings\.csv:3: {message}"):
        load_label_table(table, tmp_path, RANGES)
