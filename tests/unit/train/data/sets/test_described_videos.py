"""The official lists of MAFW, DFEW, FERV39k and AFEW, and a table of one's own, are read as they are published."""

import json
from pathlib import Path

import pytest

from train.data.sets.described_videos import BASIC_CLASSES, MAFW_CLASSES, class_names, load_described
from train.errors import DataError


def write(file: Path, text: str, encoding: str = "utf-8") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding=encoding)


def mafw_list(root: Path, setting: str, kind: str = "with") -> Path:
    return root / "Train_Test_Set" / setting / f"{kind}_caption_new" / "set_2" / "train.txt"


def test_mafw_has_a_caption_in_rows_of_four_columns_and_none_in_others(tmp_path: Path) -> None:
    rows = "00001.mp4\tanger\t一个人皱眉\tA man frowns at his desk.\n00002.mp4\tsadness\t哭\n"
    write(mafw_list(tmp_path, "single"), rows, "gbk")
    first, second = load_described("mafw", tmp_path, "train", fold=2)
    assert (first.name, first.emotions, first.caption) == ("00001", ("anger",), "A man frowns at his desk.")
    assert first.source == tmp_path / "data" / "faces" / "00001"
    assert second.caption is None
    assert class_names("mafw", [first, second]) == list(MAFW_CLASSES)


def test_mafws_compound_classes_are_those_that_occur(tmp_path: Path) -> None:
    write(mafw_list(tmp_path, "compound"), "1.mp4\tsurprise_fear\tx\ty\n2.mp4\tanger_disgust\tx\ty\n", "gbk")
    videos = load_described("mafw", tmp_path, "train", fold=2, compound=True)
    assert videos[0].emotions == ("surprise", "fear")
    assert class_names("mafw", videos) == ["anger_disgust", "surprise_fear"]


def test_mafw_without_captions_is_read_where_there_is_no_other_list(tmp_path: Path) -> None:
    write(mafw_list(tmp_path, "single", "no"), "1.mp4\tfear\n", "gbk")
    (video,) = load_described("mafw", tmp_path, "train", fold=2)
    assert video.caption is None


def test_dfew_takes_the_last_part_of_a_path_and_numbers_of_its_own_order(tmp_path: Path) -> None:
    write(tmp_path / "DFEW_set_1_test.txt", "some/where/00012 43 0\n00013 20 6\n")
    videos = load_described("dfew", tmp_path, "test")
    assert [(video.name, video.class_name) for video in videos] == [("00012", "happiness"), ("00013", "fear")]
    assert videos[0].source == tmp_path / "DFEW_Frame_Face" / "00012"
    assert class_names("dfew", videos) == list(BASIC_CLASSES)


def test_ferv39k_joins_the_captions_of_its_clips(tmp_path: Path) -> None:
    write(tmp_path / "train_image.txt", "Action/Happy/0267 70 0\nDaily/Sad/0001 30 1\n")
    write(tmp_path / "train_descriptions.json", json.dumps({"Action_Happy_0267": "A woman laughs."}))
    first, second = load_described("ferv39k", tmp_path, "train")
    assert first.source == tmp_path / "2_ClipsforFaceCrop" / "Action" / "Happy" / "0267"
    assert (first.caption, second.caption) == ("A woman laughs.", None)
    assert second.class_name == "sadness"


def test_afews_test_part_is_its_validation_folder(tmp_path: Path) -> None:
    for name in ("train/Anger/001", "validation/Happy/002", "validation/Disgust/003"):
        (tmp_path / "AFEW_Face" / name).mkdir(parents=True)
    videos = load_described("afew", tmp_path, "test")
    assert [video.class_name for video in videos] == ["disgust", "happiness"]
    assert load_described("afew", tmp_path, "train")[0].source == tmp_path / "AFEW_Face" / "train" / "Anger" / "001"


def test_a_table_of_ones_own_has_classes_of_its_own(tmp_path: Path) -> None:
    rows = "path,split,label,caption\na/1.mp4,train,boredom,She yawns.\n2.mp4,test,joy,\n3.mp4,train,awe,\n"
    write(tmp_path / "described.csv", rows)
    train, test = (load_described("table", tmp_path, split) for split in ("train", "test"))
    assert [(video.name, video.caption) for video in train] == [("a_1", "She yawns."), ("3", None)]
    assert class_names("table", train, test) == ["awe", "boredom", "joy"]


@pytest.mark.parametrize(
    ("data_set", "file", "text", "message"),
    [
        ("mafw", "Train_Test_Set/single/with_caption_new/set_1/train.txt", "1.mp4\tjoy\n", "line 1: expected a video"),
        ("dfew", "DFEW_set_1_train.txt", "a 3 1\nb 3 9\n", "line 2: expected a path, frames, and a label from 0 to 6"),
        ("ferv39k", "train_image.txt", "a/b/c 3\n", "line 1"),
        ("ferv39k", "train_image.txt", "\n", "names no video"),
        ("table", "described.csv", "path,label\na,b\n", "has no column split"),
        ("table", "described.csv", "path,split,label,caption\na,dev,b,c\n", "line 2"),
        ("afew", "AFEW_Face/train/Bored/1/a.png", "", "is no class of AFEW"),
    ],
)
def test_a_damaged_list_is_named_with_its_line(
    tmp_path: Path, data_set: str, file: str, text: str, message: str
) -> None:
    write(tmp_path / file, text)
    with pytest.raises(DataError, match=message):
        load_described(data_set, tmp_path, "train")  # type: ignore[arg-type]


@pytest.mark.parametrize("data_set", ["mafw", "dfew", "ferv39k", "afew", "table"])
def test_a_missing_data_set_is_named(tmp_path: Path, data_set: str) -> None:
    with pytest.raises(DataError, match=r"cannot be read|no such folder"):
        load_described(data_set, tmp_path / "none", "train")  # type: ignore[arg-type]


def test_other_folds_and_compound_classes_of_other_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folds 1 to 5, found 6"):
        load_described("mafw", tmp_path, "train", fold=6)
    with pytest.raises(DataError, match="only mafw has compound classes"):
        load_described("dfew", tmp_path, "train", compound=True)
