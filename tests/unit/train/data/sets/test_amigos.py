"""The AMIGOS loader on small trees in the layout of the published code."""

import json
from pathlib import Path
from typing import Any

import pytest

from train.data.sets.amigos import load_amigos
from train.errors import DataError


def rated(arousal: list[Any], valence: list[Any]) -> dict[str, list[Any]]:
    return {"Arousal": arousal, "Valence": valence}


def write_annotations(root: Path, segments: dict[str, Any], *, subject: str = "1", stimulus: str = "10") -> None:
    root.mkdir(exist_ok=True)
    tree = {subject: {"Videos": {stimulus: {"Segments": segments}}}}
    (root / "amigos.json").write_text(json.dumps(tree))


def write_pictures(root: Path, folder: str, names: list[str]) -> None:
    (root / folder).mkdir(parents=True)
    for name in names:
        (root / folder / name).touch()


def write_pair(root: Path) -> None:
    write_pictures(root, "group1/P1_10_face/1", ["image_00002.jpg", "image_00001.jpg", "image_face-0_00003.jpg"])


def test_a_segment_carries_its_subject_its_video_and_the_mean_of_the_annotators(tmp_path: Path) -> None:
    write_annotations(tmp_path, {"1": rated([0.0, 0.3, 0.6], [-0.3, 0.0, 0.9])})
    write_pair(tmp_path)
    (record,) = load_amigos(tmp_path).records
    assert (record.key, record.video, record.subject, record.split) == ("P1_10_1", "P1_10", "1", "")
    assert record.labels == {"valence": pytest.approx(0.2), "arousal": pytest.approx(0.3)}


def test_pictures_are_in_order_and_without_those_that_show_no_face(tmp_path: Path) -> None:
    write_annotations(tmp_path, {"1": rated([0, 0, 0], [0, 0, 0])})
    write_pair(tmp_path)
    (record,) = load_amigos(tmp_path).records
    assert isinstance(record.source, tuple)
    assert [file.name for file in record.source] == ["image_00001.jpg", "image_00002.jpg"]
    assert record.end_s == 2 / 25


def test_the_two_typing_errors_of_the_spreadsheet_are_capped_and_nothing_else(tmp_path: Path) -> None:
    write_annotations(tmp_path, {"1": rated([-2.0, -7.0, 0.0], [0.0, 2.0, 10.0])})
    write_pair(tmp_path)
    (record,) = load_amigos(tmp_path).records
    assert record.labels == {"arousal": (-2.0 - 1.0 + 0.0) / 3, "valence": (0.0 + 2.0 + 1.0) / 3}


def test_what_has_no_label_or_no_picture_is_left_out_and_counted(tmp_path: Path) -> None:
    full = rated([0, 0, 0], [0, 0, 0])
    write_annotations(tmp_path, {"1": full, "2": rated([], []), "3": full, "4": full})
    write_pair(tmp_path)
    for segment in ("2", "9"):
        write_pictures(tmp_path, f"group1/P1_10_face/{segment}", ["image_00001.jpg"])
    write_pictures(tmp_path, "group1/P1_10_face/3", ["image_face-0_00001.jpg"])
    clips = load_amigos(tmp_path)
    assert [record.key for record in clips.records] == ["P1_10_1"]
    assert clips.skipped == {
        "with an empty label": ("P1_10_2",),
        "without a picture": ("P1_10_3",),
        "without annotation": ("P1_10_9",),
        "annotated, but without a folder": ("P1_10_4",),
    }
    assert "skipped 1: without annotation (P1_10_9)" in clips.summary()


def test_two_folders_with_one_segment_are_refused(tmp_path: Path) -> None:
    write_annotations(tmp_path, {"1": rated([0, 0, 0], [0, 0, 0])})
    write_pair(tmp_path)
    write_pictures(tmp_path, "group2/P1_10_again/1", ["image_00001.jpg"])
    with pytest.raises(DataError, match=r"group2/P1_10_again/1: holds P1_10_1, as .*group1/P1_10_face/1 does"):
        load_amigos(tmp_path)


@pytest.mark.parametrize("values", [[0.1, 0.2], [0.1, "0.2", 0.3], [0.1, float("nan"), 0.3], [0.1, None, 0.2]])
def test_a_rating_that_is_no_three_numbers_is_refused_with_its_place(tmp_path: Path, values: list[Any]) -> None:
    write_annotations(tmp_path, {"1": rated([0, 0, 0], values)})
    with pytest.raises(DataError, match=r"amigos\.json: 1\.Videos\.10\.Segments\.1\.Valence is .* expected 3 numbers"):
        load_amigos(tmp_path)


def test_a_missing_or_broken_annotation_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"amigos\.json: missing"):
        load_amigos(tmp_path)
    (tmp_path / "amigos.json").write_text("{")
    with pytest.raises(DataError, match=r"amigos\.json: not JSON"):
        load_amigos(tmp_path)
    (tmp_path / "amigos.json").write_text('{"1": {"Videos": []}}')
    with pytest.raises(DataError, match=r"1\.Videos is list, expected an object"):
        load_amigos(tmp_path)
