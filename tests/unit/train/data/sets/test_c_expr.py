"""C-EXPR-DB as the text-based route reads it, on a tree that the test writes."""

from pathlib import Path

import pytest

from streamaffect.text.textualise import TextualiserConfig
from tests.support.training.text_trees import write_c_expr
from train.data.sets.c_expr import WordsOf, load_c_expr
from train.data.text.face_windows import WindowConfig
from train.data.text.prompts import prompts_of
from train.errors import DataError


def transcripts(root: Path, words_of: WordsOf) -> list[str | None]:
    return [clip.evidence.transcript for clip in load_c_expr(root, 0, "train", words_of=words_of)]


def test_clips_come_in_the_order_of_the_fold_with_their_class_and_video(tmp_path: Path) -> None:
    clips = load_c_expr(write_c_expr(tmp_path), 0, "train", words_of="clip")
    assert [(clip.group, clip.label) for clip in clips] == [("07", 1), ("07", 1), ("07", 6), ("08", 7)]


def test_the_number_of_a_clip_counts_its_class_in_the_annotation(tmp_path: Path) -> None:
    assert transcripts(write_c_expr(tmp_path), "clip") == ["Oh, it's you!", "Come in", "Don't.", None]


def test_the_words_can_be_those_of_the_whole_video(tmp_path: Path) -> None:
    assert transcripts(write_c_expr(tmp_path), "video")[:3] == ["Oh, it's you! Don't. Come in"] * 3


def test_the_voice_is_that_of_the_clip_and_two_seconds_around_it(tmp_path: Path) -> None:
    first, second, third, _ = load_c_expr(write_c_expr(tmp_path), 0, "train", words_of="clip")
    assert first.evidence.prosody == {"Joy": 0.6}
    assert second.evidence.prosody == {}
    assert third.evidence.prosody == {"Anger": 0.2, "Joy": 0.3}


def test_levels_of_the_voice_are_those_of_the_video_and_stay_within_zero_and_one(tmp_path: Path) -> None:
    first, *_ = load_c_expr(write_c_expr(tmp_path), 0, "train", words_of="clip")
    assert (first.evidence.arousal, first.evidence.valence, first.evidence.dominance) == (0.61, 1.0, 0.5)


def test_training_takes_blocks_and_validation_every_frame(tmp_path: Path) -> None:
    clips = load_c_expr(write_c_expr(tmp_path), 0, "train", words_of="clip")
    config, textualiser = WindowConfig(), TextualiserConfig()
    assert prompts_of(clips, config.train, config, textualiser).lengths.tolist() == [3, 3, 3, 3]
    assert prompts_of(clips, config.valid, config, textualiser).lengths.tolist() == [25, 25, 25, 25]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Happily-Surprised/07_Happily-Surprised_0", r"train\.txt:1: expected"),
        ("Happily-Surprised/07_Happily-Surprised_0,6", r"train\.txt:1: expected .* 6 Sadly Angry"),
        ("Happily-Surprised/07_Sadly-Angry_0,1", r"train\.txt:1: expected"),
        ("Happily-Surprised/07_Happily-Surprised_2,1", r"07\.csv: has 2 clips of 'Happily Surprised'.*number 2"),
        ("Sadly-Angry/09_Sadly-Angry_0,6", r"09\.csv: missing"),
    ],
)
def test_a_line_that_is_not_as_described_is_named(line: str, message: str, tmp_path: Path) -> None:
    root = write_c_expr(tmp_path)
    (root / "folds" / "split-0" / "train.txt").write_text(f"{line}\n")
    with pytest.raises(DataError, match=message):
        load_c_expr(root, 0, "train", words_of="clip")


def test_a_clip_without_its_faces_and_a_fold_without_its_list_are_named(tmp_path: Path) -> None:
    root = write_c_expr(tmp_path)
    with pytest.raises(DataError, match=r"split-3.train\.txt: cannot be read"):
        load_c_expr(root, 3, "train", words_of="clip")
    (root / "video_features" / "Sadly-Angry" / "07_Sadly-Angry_0.csv").unlink()
    with pytest.raises(DataError, match=r"07_Sadly-Angry_0\.csv: missing"):
        load_c_expr(root, 0, "train", words_of="clip")
