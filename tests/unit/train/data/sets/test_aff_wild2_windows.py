"""Windows of Aff-Wild2, on a tree that the test writes."""

from pathlib import Path

import pytest

from train.data.sets.aff_wild2_windows import load_windows, thin, window_starts
from train.errors import DataError

LENGTH = 512


def tree(root: Path, video: str, frames: int, without_face: range = range(0)) -> Path:
    annotations = root / "VA_annotations" / "Train_Set"
    annotations.mkdir(parents=True, exist_ok=True)
    faces = root / "cropped_aligned" / video
    faces.mkdir(parents=True)
    rows = ["img,V,A,frame_id"]
    for number in range(frames):
        rows.append(f"{video}/{number:05d}.jpg,{number / 1000},-0.5,{number}")
        if number not in without_face:
            (faces / f"{number:05d}.jpg").touch()
    (annotations / f"{video}.csv").write_text("\n".join(rows))
    return root


def test_every_frame_is_the_last_of_some_sub_clip() -> None:
    starts = window_starts(3 * LENGTH + 31)
    ends = {start + 32 * (step + 1) - 1 for start in starts for step in range(16)}
    assert ends == set(range(31, 3 * LENGTH + 31))
    assert window_starts(LENGTH - 1) == []
    assert window_starts(3 * LENGTH, every=32) == [0, LENGTH, 2 * LENGTH]


def test_a_window_has_sixteen_steps_of_eight_faces_and_the_label_of_each_last_frame(tmp_path: Path) -> None:
    windows = list(load_windows(tree(tmp_path, "a", LENGTH + 1), "Train_Set"))
    assert len(windows) == 2
    video, steps = windows[1]
    assert (video, len(steps)) == ("a", 16)
    assert [int(face.stem) for face in steps[0].faces] == [1, 5, 9, 13, 17, 21, 25, 29]
    assert (steps[15].frame, steps[15].valence, steps[15].arousal) == (LENGTH, LENGTH / 1000, -0.5)


def test_a_window_with_a_step_without_a_face_is_left_out(tmp_path: Path) -> None:
    root = tree(tmp_path, "a", LENGTH + 1, without_face=range(32, 64))
    starts = [steps[0].frame - 31 for _, steps in load_windows(root, "Train_Set")]
    assert starts == [1]


def test_a_backbone_that_looks_at_fewer_frames_gets_fewer(tmp_path: Path) -> None:
    ((_, steps),) = load_windows(tree(tmp_path, "a", LENGTH), "Train_Set", keep=4)
    assert [int(face.stem) for face in steps[1].faces] == [32, 40, 48, 56]


def test_a_step_with_few_faces_repeats_the_last(tmp_path: Path) -> None:
    root = tree(tmp_path, "a", LENGTH, without_face=range(2, 32))
    ((_, steps),) = load_windows(root, "Train_Set")
    assert [int(face.stem) for face in steps[0].faces] == [0, 1, 1, 1, 1, 1, 1, 1]


def test_the_second_face_of_a_video_shares_its_sound(tmp_path: Path) -> None:
    root = tree(tmp_path, "a_left", LENGTH)
    (root / "audio_extracted" / "a").mkdir(parents=True)
    (root / "audio_extracted" / "a" / "31.wav").touch()
    ((_, steps),) = load_windows(root, "Train_Set")
    assert [step.sound is not None for step in steps] == [True] + [False] * 15


def test_excluded_videos_are_skipped(tmp_path: Path) -> None:
    assert list(load_windows(tree(tmp_path, "313", LENGTH), "Train_Set")) == []


def test_a_missing_part_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Val_Set: holds no annotations"):
        list(load_windows(tmp_path, "Val_Set"))
    root = tree(tmp_path, "a", 2)
    (root / "VA_annotations" / "Train_Set" / "a.csv").write_text("img,V\nx,0.1\n")
    with pytest.raises(DataError, match=r"a\.csv: expected the columns img, V, A, frame_id"):
        list(load_windows(root, "Train_Set"))


@pytest.mark.parametrize(
    ("faces", "chosen"),
    [
        (range(32), [0, 4, 8, 12, 16, 20, 24, 28]),
        (range(25), [3, 6, 9, 12, 15, 18, 21, 24]),
        (range(16), [0, 2, 4, 6, 8, 10, 12, 14]),
        (range(9), [1, 2, 3, 4, 5, 6, 7, 8]),
        ([5, 9], [5, 9, 9, 9, 9, 9, 9, 9]),
    ],
)
def test_a_sub_clip_is_thinned_to_eight_frames_with_a_face(faces: range | list[int], chosen: list[int]) -> None:
    assert thin(faces) == chosen


def test_a_sub_clip_without_a_face_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 1 to 32 faces, found 0"):
        thin([])
