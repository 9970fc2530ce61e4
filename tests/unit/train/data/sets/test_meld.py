"""MELD's lists of utterances, on trees that the tests write."""

from pathlib import Path

import pytest

from streamaffect.text.textualise import TextualiserConfig
from tests.support.training.text_trees import face_row, write_faces, write_meld, write_table
from train.data.sets.meld import CLASS_ORDERS, has_part, load_meld
from train.data.text.face_windows import WindowConfig
from train.data.text.prompts import prompts_of
from train.errors import DataError

ROWS = [("Oh my God!", "surprise", 0, 0), ("You’re, uh, late.", "anger", 0, 1), ("Yes.", "joy", 3, 0)]


def test_an_utterance_has_its_words_its_dialogue_and_the_name_of_its_clip(tmp_path: Path) -> None:
    write_meld(tmp_path, "train", ROWS)
    clips = load_meld(tmp_path, "train", "text")
    assert [clip.name for clip in clips] == ["dia0_utt0", "dia0_utt1", "dia3_utt0"]
    assert [clip.group for clip in clips] == ["dia0", "dia0", "dia3"]
    assert clips[1].evidence.transcript == "You’re, uh, late."
    assert clips[1].faces is None


def test_the_two_published_programs_number_the_classes_differently(tmp_path: Path) -> None:
    write_meld(tmp_path, "dev", [(name, name, number, 0) for number, name in enumerate(CLASS_ORDERS["text"])])
    assert [clip.label for clip in load_meld(tmp_path, "dev", "text")] == [0, 1, 2, 3, 4, 5, 6]
    # anger, disgust, fear, joy, neutral, sadness, surprise of: neutral, happiness, surprise, fear, anger, disgust, ...
    assert [clip.label for clip in load_meld(tmp_path, "dev", "features")] == [4, 5, 3, 1, 0, 6, 2]


@pytest.mark.parametrize(
    ("encoding", "written"), [("utf-8", "It\x92s\x85"), ("cp1252", "It’s…"), ("utf-8-sig", "It’s…")]
)
def test_the_apostrophes_of_all_copies_are_the_same(encoding: str, written: str, tmp_path: Path) -> None:
    file = write_meld(tmp_path, "train", [(written, "joy", 0, 0)])
    file.write_bytes(file.read_text(encoding="utf-8").encode(encoding))
    (clip,) = load_meld(tmp_path, "train", "text")
    assert clip.evidence.transcript == "It’s…"


def test_the_lists_are_found_in_folders_of_their_parts_too(tmp_path: Path) -> None:
    write_meld(tmp_path / "test", "test", ROWS)
    assert has_part(tmp_path, "test")
    assert not has_part(tmp_path, "dev")
    assert len(load_meld(tmp_path, "test", "text")) == 3


def test_faces_and_voices_are_read_where_they_are(tmp_path: Path) -> None:
    write_meld(tmp_path, "train", ROWS)
    write_faces(
        tmp_path / "train" / "video_features" / "dia0_utt0.csv",
        [face_row(frame, AU05=0.9, surprise=0.8) for frame in range(12)],
    )
    write_table(
        tmp_path / "train" / "hume_features" / "dia0_utt0.csv", ["name", "score", "start", "end"], [["Awe", 0.7, 0, 1]]
    )
    write_table(
        tmp_path / "train" / "processed_audio_features.csv",
        ["Arousal", "Dominance", "Valence", "path"],
        [[0.9, 0.6, 0.7, "dia0_utt0.mp4"]],
    )
    prompts = prompts_of(load_meld(tmp_path, "train", "text"), "blocks", WindowConfig(), TextualiserConfig())
    assert prompts.lengths.tolist() == [2, 1, 1]
    assert prompts.prompt_labels.tolist() == [6, 6, 0, 3]
    assert prompts.texts[0] == (
        "Transcript: Oh my God!; Action units: upper lid raiser; Facial expressions: surprise, anger, disgust; "
        "Voice: High Awe; Arousal: 0.90; Valence: 0.70; Dominance: 0.60;"
    )
    assert prompts.texts[2] == (
        "Transcript: You’re, uh, late.; Action units: no face; Facial expressions: no face; Voice: no speech;"
    )


def test_words_alone_are_one_prompt_for_each_clip(tmp_path: Path) -> None:
    write_meld(tmp_path, "train", ROWS)
    write_faces(tmp_path / "train" / "video_features" / "dia0_utt0.csv", [face_row(frame) for frame in range(30)])
    words = TextualiserConfig(modalities=("T",))
    prompts = prompts_of(load_meld(tmp_path, "train", "text"), "frames", WindowConfig(), words)
    assert prompts.lengths.tolist() == [1, 1, 1]


def test_wrong_lists_are_named_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train_sent_emo\.csv: cannot be read"):
        load_meld(tmp_path, "train", "text")
    write_meld(tmp_path, "train", [*ROWS, ("Hm.", "boredom", 4, 0)])
    with pytest.raises(DataError, match=r"train_sent_emo\.csv:5: Emotion is 'boredom'"):
        load_meld(tmp_path, "train", "text")
    write_meld(tmp_path, "train", [*ROWS, ROWS[0]])
    with pytest.raises(DataError, match=r":5: dia0_utt0 is listed twice"):
        load_meld(tmp_path, "train", "text")
    (tmp_path / "train_sent_emo.csv").write_text("Utterance,Emotion\nHm.,joy\n")
    with pytest.raises(DataError, match="no column 'Dialogue_ID'"):
        load_meld(tmp_path, "train", "text")
    (tmp_path / "train_sent_emo.csv").write_text("Utterance,Emotion,Dialogue_ID,Utterance_ID\nHm.,joy\n")
    with pytest.raises(DataError, match=":2: has fewer cells"):
        load_meld(tmp_path, "train", "text")
