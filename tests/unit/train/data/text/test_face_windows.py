"""Faces of a video as a detector of action units wrote them down, and the windows over them."""

from pathlib import Path

import pytest

from tests.support.training.text_trees import face_row, write_faces
from train.data.text.face_windows import WindowConfig, Windows, load_faces, windows_of
from train.errors import DataError

CONFIG = WindowConfig(hop=10, size=20)


def test_training_windows_are_blocks_that_do_not_overlap() -> None:
    assert windows_of(25, "blocks", CONFIG) == [slice(0, 10), slice(10, 20), slice(20, 25)]


def test_a_window_around_a_frame_reaches_ten_frames_to_both_sides_where_there_are_any() -> None:
    windows = windows_of(25, "frames", CONFIG)
    assert len(windows) == 25
    assert windows[0] == slice(0, 11)
    assert windows[12] == slice(2, 23)
    assert windows[24] == slice(14, 25)


def test_a_clip_can_be_one_window() -> None:
    assert windows_of(25, "clip", CONFIG) == [slice(0, 25)]


@pytest.mark.parametrize("kind", ["blocks", "frames", "clip"])
def test_a_clip_of_one_frame_has_a_window(kind: Windows) -> None:
    assert windows_of(1, kind, CONFIG) == [slice(0, 1)]


def test_of_several_faces_in_a_frame_the_most_confident_counts(tmp_path: Path) -> None:
    rows = [face_row(0, 0.6, AU12=0.9), face_row(0, 0.8, AU12=0.3), face_row(1, 0.7, AU12=0.4)]
    strongest = load_faces(write_faces(tmp_path / "a.csv", rows)).strongest(slice(0, 2))
    assert strongest is not None
    assert strongest[0][12] == pytest.approx(0.4)


def test_a_window_has_the_highest_values_of_its_frames(tmp_path: Path) -> None:
    rows = [face_row(0, AU04=0.7, fear=0.2), face_row(1, AU04=0.2, fear=0.6), face_row(2, AU04=0.9, fear=0.9)]
    strongest = load_faces(write_faces(tmp_path / "a.csv", rows)).strongest(slice(0, 2))
    assert strongest is not None
    units, expressions = strongest
    assert (units[4], expressions["fear"]) == pytest.approx((0.7, 0.6))
    assert len(units) == 20


@pytest.mark.parametrize("nothing", ["", "nan", 0])
def test_frames_without_a_face_do_not_count(nothing: object, tmp_path: Path) -> None:
    empty = {name: "" for name in face_row(0) if name not in ("frame", "FaceScore")}
    rows = [face_row(0, nothing, **empty), face_row(1, nothing, AU12=0.9), face_row(2, AU12=0.2)]
    faces = load_faces(write_faces(tmp_path / "a.csv", rows))
    assert faces.strongest(slice(0, 2)) is None
    assert faces.strongest(slice(0, 3)) is not None


def test_a_table_that_is_not_as_described_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv:2: AU12 is 'high'"):
        load_faces(write_faces(tmp_path / "a.csv", [face_row(0, AU12="high")]))
    missing = face_row(0)
    del missing["AU43"]
    with pytest.raises(DataError, match="no column 'AU43'"):
        load_faces(write_faces(tmp_path / "b.csv", [missing]))
