"""The OMG-Emotion loader on tables like the published ones."""

from pathlib import Path

import pytest

from train.data.sets.omg import TABLES, load_omg
from train.errors import DataError

HEADER = "link,start,end,video,utterance,arousal,valence,EmotionMaxVote"
LINK = "https://video.example/watch?v=abc"
ROW = f"{LINK},0.5,4.0,74de88564_1,utterance_1.mp4,0.25,-0.5,4"


def write_tables(folder: Path, **rows: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    for split, name in TABLES.items():
        (folder / name).write_text("\n".join([HEADER, *rows.get(split, [])]) + "\n")


def write_video(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()


def test_an_utterance_has_rescaled_arousal_and_is_a_file_of_its_own(tmp_path: Path) -> None:
    write_tables(tmp_path, valid=[ROW])
    write_video(tmp_path, "74de88564_1/utterance_1.mp4")
    (record,) = load_omg(tmp_path, tmp_path).records
    assert record.labels == {"valence": -0.5, "arousal": -0.5}
    assert record.source == tmp_path / "74de88564_1" / "utterance_1.mp4"
    assert (record.start_s, record.end_s, record.split) == (0.0, None, "valid")


def test_the_parts_of_one_video_show_one_subject(tmp_path: Path) -> None:
    write_tables(tmp_path, train=[ROW, ROW.replace("74de88564_1", "74de88564_2")])
    for part in (1, 2):
        write_video(tmp_path, f"74de88564_{part}/utterance_1.mp4")
    records = load_omg(tmp_path, tmp_path).records
    assert len({record.video for record in records}) == 2
    assert {record.subject for record in records} == {LINK}


def test_an_utterance_whose_link_is_dead_is_counted(tmp_path: Path) -> None:
    write_tables(tmp_path, test=[ROW])
    clips = load_omg(tmp_path, tmp_path)
    assert clips.records == ()
    assert clips.skipped == {"whose file is missing": ("74de88564_1/utterance_1.mp4",)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (ROW.replace(",0.25,", ",calm,"), "arousal is 'calm', expected a number"),
        (ROW.replace(",0.25,", ",1.5,"), "arousal is 1.5, expected a number from 0 to 1"),
        (ROW.replace(",-0.5,", ",nan,"), "valence is nan, expected a number from -1 to 1"),
        (ROW.replace(",-0.5,", ",,"), "valence is empty"),
        (ROW.replace(",0.5,4.0,", ",4.0,4.0,"), "the utterance ends at 4 s, before it starts at 4 s"),
        (ROW + ",more", "9 cells, the header has 8"),
    ],
)
def test_a_wrong_cell_is_refused_with_file_and_line(tmp_path: Path, wrong: str, message: str) -> None:
    write_tables(tmp_path, train=[ROW.replace("utterance_1", "utterance_2"), "", wrong])
    with pytest.raises(DataError) as caught:
        load_omg(tmp_path, tmp_path)
    assert str(caught.value) == f"{tmp_path / 'omg_TrainVideos.csv'}:4: {message}"


def test_an_utterance_in_two_tables_is_refused(tmp_path: Path) -> None:
    write_tables(tmp_path, train=[ROW], test=[ROW])
    with pytest.raises(
        DataError, match=r"omg_TestVideos_WithLabels\.csv:2: 74de88564_1/utterance_1\.mp4 is already in"
    ):
        load_omg(tmp_path, tmp_path)


def test_a_missing_table_and_a_missing_column_are_said(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"omg_TrainVideos\.csv: missing; expected a table with the columns link, start"
    ):
        load_omg(tmp_path, tmp_path)
    write_tables(tmp_path)
    (tmp_path / TABLES["train"]).write_text("link,start,end,video,utterance,valence\n")
    with pytest.raises(DataError, match=r"omg_TrainVideos\.csv:1: no column 'arousal'; found link, start"):
        load_omg(tmp_path, tmp_path)
