"""Published lists and annotations of compound emotions, in trees that the test writes."""

from pathlib import Path

import pytest

from train.data.sets.c_expr_folds import (
    AnnotatedClip,
    ListedVideo,
    fold_clips,
    load_annotation,
    load_classes,
    load_fold,
)
from train.errors import DataError

CLASSES = ("Fearfully Surprised", "Sadly Angry")
HEADER = '"Begin Time - hh:mm:ss.ms","End Time - hh:mm:ss.ms","Fearfully Surprised","Sadly Angry"\n'
ANNOTATION = HEADER + '00:00:01.500,00:00:03.000,,"1"\n00:01:00.000,00:01:02.250,"1",\n01:00:00.000,01:00:01.000,,"1"\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two videos of C-EXPR-DB: 07 whole, of 08 one trimmed clip; 09 is listed and absent."""
    (tmp_path / "class_id.yaml").write_text("Sadly Angry: 1\nFearfully Surprised: 0\n")
    (tmp_path / "train.txt").write_text(
        'Sadly-Angry/07_Sadly-Angry_1,1,You said, "no", twice\n'
        "Sadly-Angry/07_Sadly-Angry_5,1,\n"
        "Fearfully-Surprised/08_Fearfully-Surprised_0,0,Who's there?\n"
        "Fearfully-Surprised/09_Fearfully-Surprised_0,0\n"
    )
    (tmp_path / "annotation").mkdir()
    (tmp_path / "annotation" / "07.csv").write_text(ANNOTATION)
    (tmp_path / "07.mp4").touch()
    (tmp_path / "Fearfully-Surprised").mkdir()
    (tmp_path / "Fearfully-Surprised" / "08_Fearfully-Surprised_0.avi").touch()
    return tmp_path


def test_classes_stand_in_the_order_of_their_numbers(tree: Path) -> None:
    assert load_classes(tree) == CLASSES


def test_a_transcript_keeps_its_commas_and_marks_and_may_be_absent(tree: Path) -> None:
    videos = load_fold(tree, "train")
    assert videos[0] == ListedVideo("Sadly-Angry/07_Sadly-Angry_1", 1, 'You said, "no", twice')
    assert [video.transcript for video in videos[1:]] == ["", "Who's there?", ""]


def test_clips_are_numbered_within_their_class_and_timed_in_seconds(tree: Path) -> None:
    assert load_annotation(tree / "annotation" / "07.csv", CLASSES) == [
        AnnotatedClip("Sadly-Angry/07_Sadly-Angry_0", "Sadly Angry", 1.5, 3.0),
        AnnotatedClip("Fearfully-Surprised/07_Fearfully-Surprised_0", "Fearfully Surprised", 60.0, 62.25),
        AnnotatedClip("Sadly-Angry/07_Sadly-Angry_1", "Sadly Angry", 3600.0, 3601.0),
    ]


def test_a_clip_is_a_trimmed_file_or_a_stretch_of_its_video_and_else_left_out(tree: Path) -> None:
    clips = fold_clips(load_fold(tree, "train"), tree, tree / "annotation", CLASSES)
    assert [(one.source, one.start_s, one.end_s, one.labels["class"]) for one in clips.records] == [
        (tree / "07.mp4", 3600.0, 3601.0, 1.0),
        (tree / "Fearfully-Surprised" / "08_Fearfully-Surprised_0.avi", 0.0, None, 0.0),
    ]
    assert clips.skipped == {
        "not in the annotation of its video": ("Sadly-Angry/07_Sadly-Angry_5",),
        "no file of it": ("Fearfully-Surprised/09_Fearfully-Surprised_0",),
    }


def test_the_lists_of_meld_name_the_published_files(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("val/dia0_utt1,2,What?\n")
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "dia0_utt1.mp4").touch()
    (record,) = fold_clips(load_fold(tmp_path, "val"), tmp_path, None, ()).records
    assert (record.source, record.labels["class"]) == (tmp_path / "val" / "dia0_utt1.mp4", 2.0)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train.txt", "", "lists no video"),
        ("train.txt", "a/b,one,words\n", r"train\.txt:1: expected '<path>,<class>,<transcript>'"),
        ("train.txt", "a/b,1,x\na/b,1,y\n", "a/b is listed 2 times"),
        ("class_id.yaml", "Anger: 1\nFear: 2\n", "expected the numbers 0 to 1"),
        ("class_id.yaml", "Anger\n", "expected lines such as"),
        ("annotation/07.csv", HEADER + "1:00,00:00:02,,1\n", r"07\.csv:2: Begin .* expected hours:minutes:seconds"),
        ("annotation/07.csv", HEADER + "00:00:02,00:00:01,,1\n", r"07\.csv:2: ends at 00:00:01"),
    ],
)
def test_what_is_wrong_is_said_with_its_file(tree: Path, file: str, content: str, message: str) -> None:
    (tree / file).write_text(content)
    with pytest.raises(DataError, match=message):
        load_classes(tree)
        load_fold(tree, "train")
        load_annotation(tree / "annotation" / "07.csv", CLASSES)
