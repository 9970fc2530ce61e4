"""Corpora of emotional speech as a table of clips."""

import wave
from pathlib import Path

import numpy as np
import pytest

from train.audiovisual.speech import load_speech, sounds
from train.errors import DataError

HEADER = "path,start_s,end_s,subject,split,corpus,arousal,level\n"


def corpus(root: Path, *lines: str) -> Path:
    (root / "open").mkdir()
    with wave.open(str(root / "open" / "a.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(np.repeat(np.array([1000, 2000], np.int16), 16_000).tobytes())
    (root / "clips.csv").write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return root


def test_clips_are_stretches_of_their_files(tmp_path: Path) -> None:
    root = corpus(tmp_path, "open/a.wav,0.5,1.0,s1,train,c,0.5,", "open/a.wav,1.25,1.5,s2,valid,c,,2")
    (first, early), (second, late) = sounds(load_speech(root))
    assert (first.tier, first.arousal, first.level, second.arousal, second.level) == ("open", 0.5, None, None, 2.0)
    assert (len(early), len(late)) == (8000, 4000)
    assert np.allclose(early, 1000 / 32768, atol=1e-4) and np.allclose(late, 2000 / 32768, atol=1e-4)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("open/a.wav,1.0,0.5,s,train,c,0.5,", "clips.csv:2: the clip ends at 0.5 s, before it starts at 1 s"),
        ("open/a.wav,0,1,s,dev,c,0.5,", "clips.csv:2: split is 'dev', expected train, valid or test"),
        ("open/a.wav,0,1,s,train,c,1.5,", "clips.csv:2: arousal is 1.5, expected a number from -1 to 1"),
        ("open/b.wav,0,1,s,train,c,0.5,", r"b\.wav: missing"),
    ],
)
def test_a_table_that_is_wrong_is_one_line(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        load_speech(corpus(tmp_path, line))


def test_a_clip_beyond_the_end_of_its_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.wav: ends before 5 s"):
        list(sounds(load_speech(corpus(tmp_path, "open/a.wav,5,6,s,train,c,0.5,"))))
