"""The project's own `clips.csv`."""

from pathlib import Path

import pytest

from train.data.clips_csv import load_clips_csv
from train.errors import DataError

HEADER = "path,start_s,end_s,subject,split,valence,arousal"
ROW = "anna.mp4,0,4.5,anna,train,0.3,-0.1"


def write_table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    (folder / "anna.mp4").touch()
    table = folder / "clips.csv"
    table.write_text("\n".join([header, *rows]) + "\n")
    return table


def test_a_row_is_a_clip_and_every_further_column_a_label(tmp_path: Path) -> None:
    table = write_table(tmp_path, ROW)
    (record,) = load_clips_csv(table).records
    assert record.labels == {"valence": 0.3, "arousal": -0.1}
    assert (record.source, record.start_s, record.end_s) == (tmp_path / "anna.mp4", 0.0, 4.5)
    assert (record.video, record.subject, record.split) == ("anna.mp4", "anna", "train")


def test_without_times_a_row_is_the_whole_file(tmp_path: Path) -> None:
    (record,) = load_clips_csv(write_table(tmp_path, "anna.mp4,,,anna,,0.3,-0.1")).records
    assert (record.start_s, record.end_s, record.split) == (0.0, None, "")


def test_a_table_from_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    table = write_table(tmp_path, ROW)
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    assert len(load_clips_csv(table).records) == 1


def test_rows_without_a_label_or_a_file_are_counted(tmp_path: Path) -> None:
    table = write_table(tmp_path, ROW, "anna.mp4,5,6,anna,train,,0.1", "gone.mp4,0,1,anna,train,0,0")
    clips = load_clips_csv(table)
    assert len(clips.records) == 1
    assert clips.skipped == {
        "without a label": ("anna.mp4 from 5 s",),
        "whose file is missing": ("gone.mp4 from 0 s",),
    }
    assert clips.summary().splitlines() == [
        "clips: 1, subjects: 1",
        "skipped 1: without a label (anna.mp4 from 5 s)",
        "skipped 1: whose file is missing (gone.mp4 from 0 s)",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW, "anna.mp4 from 0 s is already in line 2; every clip may be listed once"),
        ("anna.mp4,9,8,anna,train,0,0", "end_s is 8, not after start_s, 9"),
        ("anna.mp4,-1,8,anna,train,0,0", "start_s is -1, expected a number of at least 0"),
        ("anna.mp4,1,soon,anna,train,0,0", "end_s is 'soon', expected a number"),
        ("anna.mp4,1,2,anna,dev,0,0", "split is 'dev', expected train, valid, test or nothing"),
        ("anna.mp4,1,2,,train,0,0", "subject is empty"),
        ("anna.mp4,1,2,anna,train,0,inf", "arousal is inf, expected a finite number"),
        ("anna.mp4,1,2,anna,train,0", "6 cells, the header has 7"),
        ("anna.mp4,1,2,anna,test,0,0", "subject anna is in split 'test', but in 'train' in line 2; "
                                       "a subject belongs to one split"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_refused_with_file_and_line(tmp_path: Path, row: str, message: str) -> None:
    table = write_table(tmp_path, ROW, row)
    with pytest.raises(DataError) as caught:
        load_clips_csv(table)
    assert str(caught.value) == f"{table}:3: {message}"


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("path,start_s,end_s,split,valence", [], "no column 'subject'"),
        ("path,start_s,end_s,subject,split", ["anna.mp4,0,1,anna,train"], "no clip with a label"),
        (HEADER, [], "no clip with a label"),
    ],
)
def test_a_table_without_subjects_labels_or_rows_is_refused(
    tmp_path: Path, header: str, rows: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_clips_csv(write_table(tmp_path, *rows, header=header))


def test_a_missing_table_and_one_in_another_encoding_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"clips\.csv: missing"):
        load_clips_csv(tmp_path / "clips.csv")
    table = write_table(tmp_path, ROW)
    table.write_bytes(b"path\xe9,subject\n")
    with pytest.raises(DataError, match="not UTF-8"):
        load_clips_csv(table)
