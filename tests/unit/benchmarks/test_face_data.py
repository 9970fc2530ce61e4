"""What the accuracy benchmark does with folders that are incomplete, other than expected, or damaged."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.measures.face_data import read_clips, read_crowd_faces, read_people
from benchmarks.measures.head_pose import pose_angles
from benchmarks.measures.still_figures import pair_figures
from streamaffect.errors import ConfigError

TURNED = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
LABELS = "file,frame,time,x0,y0,x1,y1,valence,arousal\na.mp4,0,0.0,0.1,0.2,0.5,0.7,0.3,0.1\na.mp4,2,0.08,,,,,,\n"


def write_faces(file: Path, count: int, **changed: object) -> None:
    file.parent.mkdir(exist_ok=True)
    encoded = [cv2.imencode(".webp", np.full((48, 48), 9 * row, np.uint8))[1] for row in range(count)]
    votes = np.zeros((count, 10), np.uint8)
    votes[:, 1] = 10
    arrays = {
        "webp": np.concatenate(encoded),
        "offsets": np.cumsum([0, *(len(part) for part in encoded)]),
        "votes": votes,
        "split": np.ones(count, np.uint8),
    }
    webp, offsets, votes, split = (np.asarray(value) for value in (arrays | changed).values())
    np.savez(file, webp=webp, offsets=offsets, votes=votes, split=split)


def read(root: Path) -> tuple[int, np.ndarray | None, list[str]]:
    """Number of pictures, their poses, and what was reported."""
    said: list[str] = []
    faces = read_crowd_faces(root, said.append, held_out=True, limit=None, seed=0)
    return (0 if faces is None else len(faces.pictures)), (None if faces is None else faces.pose), said


def test_poses_come_from_the_teacher_s_file_of_the_same_name(tmp_path: Path) -> None:
    write_faces(tmp_path / "ferplus" / "test.npz", 5)
    write_faces(tmp_path / "ferplus" / "more.npz", 3)
    rotation = np.repeat(TURNED.reshape(1, 9), 5, axis=0)
    np.savez(tmp_path / "ferplus" / "test_teacher.npz", rotation=rotation)
    count, pose, said = read(tmp_path)
    assert (count, said) == (8, [])
    assert pose is not None
    assert np.isnan(pose[:3]).all()  # more.npz comes first, and has no teacher
    assert pose[3:] == pytest.approx(pose_angles(rotation))


def test_faces_without_a_teacher_s_file_have_no_pose(tmp_path: Path) -> None:
    write_faces(tmp_path / "ferplus" / "test.npz", 5)
    assert read(tmp_path) == (5, None, [])


def test_a_teacher_s_file_of_other_pictures_is_reported_and_the_faces_are_used(tmp_path: Path) -> None:
    write_faces(tmp_path / "ferplus" / "test.npz", 5)
    np.savez(tmp_path / "ferplus" / "test_teacher.npz", rotation=np.zeros((4, 9)))
    count, pose, (said,) = read(tmp_path)
    assert (count, pose) == (5, None)
    assert "test_teacher.npz: rotation has the shape (4, 9)" in said


def test_a_damaged_file_is_reported_and_the_others_are_used(tmp_path: Path) -> None:
    write_faces(tmp_path / "ferplus" / "whole.npz", 4)
    for name, content in (("cut", (tmp_path / "ferplus" / "whole.npz").read_bytes()[:300]), ("text", b"hello")):
        (tmp_path / "ferplus" / f"{name}.npz").write_bytes(content)
    count, _, said = read(tmp_path)
    assert count == 4
    assert [line.split(": ")[0].rpartition("/")[2] for line in said] == ["cut.npz", "text.npz"]
    assert all("cannot be read as npz" in line for line in said)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"votes": np.zeros((3, 4))}, "votes have the shape (3, 4)"),
        ({"split": np.ones(7)}, "3 rows of votes do not fit 4 offsets and 7 splits"),
        ({"split": np.zeros(3)}, "all pictures are of the Training part"),
        ({"webp": np.array([{}])}, "cannot be read as npz"),  # pickled objects
    ],
)
def test_arrays_that_do_not_fit_are_reported(tmp_path: Path, changed: dict[str, object], complaint: str) -> None:
    write_faces(tmp_path / "ferplus" / "odd.npz", 3, **changed)
    count, _, said = read(tmp_path)
    assert count == 0
    assert "odd.npz" in said[0]
    assert complaint in said[0]


def test_pictures_that_cannot_be_decoded_are_counted_and_left_out(tmp_path: Path) -> None:
    write_faces(tmp_path / "ferplus" / "test.npz", 4)
    with np.load(tmp_path / "ferplus" / "test.npz", allow_pickle=False) as arrays:
        webp, offsets = arrays["webp"].copy(), arrays["offsets"]
    webp[offsets[1] : offsets[2]] = 0
    write_faces(tmp_path / "ferplus" / "test.npz", 4, webp=webp)
    count, _, said = read(tmp_path)
    assert (count, said) == (3, ["ferplus/: 1 of 4 pictures cannot be decoded"])


def write_tables(root: Path, listing: str = "file,height\na.mp4,480\n", labels: str = LABELS) -> Path:
    folder = root / "videos"
    folder.mkdir()
    (folder / "videos.csv").write_text(listing)
    (folder / "videos_teacher.csv").write_text(labels)
    return folder


def test_labels_of_clips_carry_the_height_of_the_box_and_the_pose_of_their_row(tmp_path: Path) -> None:
    folder = write_tables(tmp_path)
    rotation = np.stack([TURNED.reshape(9), np.eye(3).reshape(9)])
    np.savez(folder / "videos_blendshapes.npz", rotation=rotation, frame=np.array([0, 2]))
    said: list[str] = []
    clips = read_clips(tmp_path, {}, said.append)
    assert clips is not None
    ((row,),) = (clip.rows for clip in clips)
    assert said == []
    assert row.height_px == pytest.approx(240)
    assert row.pose == pytest.approx((np.degrees(np.arctan2(0.6, 0.8)), 0, 0))


def test_poses_of_other_rows_are_reported_and_left_out(tmp_path: Path) -> None:
    folder = write_tables(tmp_path, listing="file\na.mp4\n")
    np.savez(folder / "videos_blendshapes.npz", rotation=np.zeros((2, 9)), frame=np.array([0, 3]))
    said: list[str] = []
    clips = read_clips(tmp_path, {}, said.append)
    assert clips is not None
    assert "its frames are not those of videos_teacher.csv" in said[0]
    assert np.isnan([*clips[0].rows[0].pose, clips[0].rows[0].height_px]).all()


@pytest.mark.parametrize(
    ("tables", "complaint"),
    [
        ({"listing": "name\na.mp4\n"}, "videos.csv: lacks the column 'file'"),
        ({"labels": "file,time\na.mp4,0\n"}, "videos_teacher.csv: lacks the column 'x0'"),
        ({"labels": LABELS.replace("0.3", "high")}, "videos_teacher.csv:2: could not convert string to float: 'high'"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, tables: dict[str, str], complaint: str) -> None:
    write_tables(tmp_path, **tables)
    with pytest.raises(ConfigError) as caught:
        read_clips(tmp_path, {}, print)
    assert complaint in str(caught.value)


def test_a_list_of_people_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"people\.csv: cannot be read as CSV"):
        read_people(tmp_path / "people.csv")


def test_a_person_with_a_damaged_picture_is_reported_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "1_neutral.jpg").write_bytes(b"no picture")
    said: list[str] = []
    pairs = [("1", tmp_path / "1_neutral.jpg", tmp_path / "1_smiling.jpg")]
    assert pair_figures(pairs, lambda _: [], lambda: None, said.append) == []
    assert "1_neutral.jpg" in said[0]
    assert said[0].endswith("cannot be read as a picture")
