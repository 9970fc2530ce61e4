"""The Aff-Wild2 loader on small trees in the layout of the challenge."""

from pathlib import Path

import pytest

from train.data.records import LabelledClips
from train.data.sets.aff_wild2 import load_aff_wild2
from train.errors import DataError


def write_video(root: Path, split: str, name: str, lines: list[str], faces: list[int]) -> None:
    for folder in ("Train_Set", "Validation_Set"):
        (root / folder).mkdir(exist_ok=True)
    (root / split / f"{name}.txt").write_text("\n".join(["valence,arousal", *lines]) + "\n")
    (root / "faces" / name).mkdir(parents=True)
    for number in faces:
        (root / "faces" / name / f"{number:05d}.jpg").touch()


def load(root: Path) -> LabelledClips:
    return load_aff_wild2(root, root / "faces", frames=2, step=2)


def test_a_clip_ends_at_a_rated_frame_and_carries_its_rating(tmp_path: Path) -> None:
    write_video(tmp_path, "Train_Set", "3-1920x1080", ["0,0", "0.5,-0.25", "0,0", "0.1,0.2"], [1, 2, 3, 4])
    first, second = load(tmp_path).records
    assert first.labels == {"valence": 0.5, "arousal": -0.25}
    assert second.labels == {"valence": 0.1, "arousal": 0.2}
    assert isinstance(second.source, tuple)
    assert [file.name for file in second.source] == ["00003.jpg", "00004.jpg"]
    assert (second.start_s, second.end_s, second.split) == (2 / 30, 4 / 30, "train")


def test_frames_without_a_face_do_not_shift_the_ratings(tmp_path: Path) -> None:
    write_video(tmp_path, "Train_Set", "3", ["0,0", "0.9,0.9", "0.3,0.4"], [1, 3])
    (record,) = load(tmp_path).records
    assert record.labels == {"valence": 0.3, "arousal": 0.4}


@pytest.mark.parametrize("line", ["-5,-5", "-5,0.5", "0.5,-5.0"])
def test_no_clip_ends_at_a_frame_without_a_rating(tmp_path: Path, line: str) -> None:
    write_video(tmp_path, "Validation_Set", "3", ["0,0", line, "0,0", "0.1,0.1"], [1, 2, 3, 4])
    (record,) = load(tmp_path).records
    assert record.key == "3/00004"


def test_the_two_people_of_a_video_are_kept_together(tmp_path: Path) -> None:
    for name in ("10-60", "10-60_right"):
        write_video(tmp_path, "Train_Set", name, ["0,0", "0,0"], [1, 2])
    records = load(tmp_path).records
    assert [record.video for record in records] == ["10-60", "10-60_right"]
    assert {record.subject for record in records} == {"10-60"}


def test_a_video_without_faces_is_counted(tmp_path: Path) -> None:
    write_video(tmp_path, "Train_Set", "3", ["0,0", "0,0"], [1])
    clips = load(tmp_path)
    assert clips.records == ()
    assert clips.skipped == {"without 2 faces up to a rated one": ("3",)}


def test_a_video_in_both_splits_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path, "Train_Set", "3", ["0,0", "0,0"], [1, 2])
    write_video(tmp_path, "Validation_Set", "3_left", ["0,0", "0,0"], [1, 2])
    with pytest.raises(DataError, match=r"3_left\.txt: 3 is in the train split too"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [("0.1", "expected two numbers"), ("0.1,x", "expected two numbers"), ("0.1,1.5", "from -1 to 1, or -5"),
     ("nan,0", "from -1 to 1")],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_its_number(tmp_path: Path, line: str, message: str) -> None:
    write_video(tmp_path, "Train_Set", "3", ["0,0", line], [1, 2])
    with pytest.raises(DataError, match=rf"3\.txt:3: '{line}', .*{message}"):
        load(tmp_path)


def test_a_missing_folder_and_a_missing_header_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Train_Set: missing"):
        load(tmp_path)
    write_video(tmp_path, "Train_Set", "3", [], [])
    (tmp_path / "Train_Set" / "3.txt").write_text("0.1,0.2\n")
    with pytest.raises(DataError, match=r"3\.txt:1: '0\.1,0\.2', expected the header 'valence,arousal'"):
        load(tmp_path)
