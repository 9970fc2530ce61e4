"""A fusion that learns from voices beside faces of the same emotion, on data that the test writes."""

import csv
import json
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect.errors import BundleError
from streamaffect.runtime.bundle import load_bundle
from streamaffect.types import SOUND_RATE_HZ
from streamaffect.voice.joint import JointFusion, StepWindow
from tests.support.bundles import write_bundle
from tests.support.faces import demo_frames
from tests.support.training.audio_visual import changed
from train.cli import main
from train.methods.voice.data import drawn_voice

VOTES = {"anger": 4, "neutral": 0}
AROUSAL = {"anger": 0.59, "neutral": 0.0}
SHORT = {
    "talks = 8": "talks = 1",
    "talk_steps = 64": "talk_steps = 16",
    "faces = 4": "faces = 1",
    "steps = 24": "steps = 6",
    "hidden_steps = 12": "hidden_steps = 3",
    "dim = 32": "dim = 8",
    "epochs = 3": "epochs = 1",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pairs")
    faces(root / "ferplus")
    voices(root / "speech")
    return root


def faces(folder: Path) -> None:
    folder.mkdir()
    picture = cv2.cvtColor(demo_frames(1)[0][40:296, 190:446], cv2.COLOR_BGR2GRAY)
    packed, votes, split = [], [], []
    for number in range(12):
        emotion = list(VOTES.values())[number % 2]
        brighter = np.clip(cv2.resize(picture, (48, 48)) + 5.0 * number, 0, 255).astype(np.uint8)
        packed.append(cv2.imencode(".webp", brighter)[1].ravel())
        votes.append([10 if column == emotion else 0 for column in range(10)])
        split.append(number // 8)
    offsets = np.cumsum([0, *(len(one) for one in packed)])
    file = folder / "ferplus_train_valid.npz"
    np.savez(file, webp=np.concatenate(packed), offsets=offsets, votes=np.array(votes), split=np.array(split))


def voices(folder: Path) -> None:
    (folder / "open").mkdir(parents=True)
    rng, time_s = np.random.default_rng(0), np.arange(2 * SOUND_RATE_HZ) / SOUND_RATE_HZ
    rows = []
    for split in ("train", "valid"):
        for emotion, arousal in AROUSAL.items():
            file = folder / "open" / f"{split}_{emotion}.wav"
            with wave.open(str(file), "wb") as sound:
                sound.setnchannels(1)
                sound.setsampwidth(2)
                sound.setframerate(SOUND_RATE_HZ)
                sound.writeframes((drawn_voice(arousal, rng, time_s).clip(-1, 1) * 32767).astype(np.int16).tobytes())
            rows.append([f"open/{file.name}", 0, 2, split, split, "c", arousal, "", emotion])
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as lines:
        table = csv.writer(lines)
        table.writerow(["path", "start_s", "end_s", "subject", "split", "corpus", "arousal", "level", "emotion"])
        table.writerows(rows)


@pytest.fixture(scope="module")
def written(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    recipe = changed("jmt/pairs.toml", folder, SHORT)
    assert main(["fit", "--config", str(recipe), "--run", str(folder / "run"), "--data", str(data)]) == 0
    return folder / "run"


def test_a_run_writes_a_fusion_that_belongs_to_the_bundle_it_has_learned_on(written: Path, tmp_path: Path) -> None:
    fusion = JointFusion(written / "bundle")
    assert fusion.belongs_to(load_bundle())
    assert not fusion.belongs_to(load_bundle(write_bundle(tmp_path / "other")))
    report = json.loads((written / "report.json").read_text())
    assert {"ccc_arousal", "ccc_arousal_half_hidden", "half_width_arousal"} <= set(report)
    assert fusion.manifest.half_widths["arousal"] == report["half_width_arousal"]
    assert fusion.manifest.step_s == pytest.approx(load_bundle().manifest.clip.length_s)


def test_it_answers_in_its_range_and_reads_only_what_is_there(written: Path) -> None:
    fusion = JointFusion(written / "bundle")
    steps, widths = fusion.manifest.steps, (load_bundle().clip_dim, len(fusion.manifest.features))
    rng = np.random.default_rng(0)
    visual, audio = (rng.normal(size=(steps, width)).astype(np.float32) for width in widths)
    there = np.arange(steps) % 2 == 0
    answer = fusion.fuse(StepWindow(visual, audio, ~there, there, np.ones(steps, np.bool_)))
    assert -1 <= answer.arousal_interval[0] <= answer.arousal <= answer.arousal_interval[1] <= 1
    visual[~there], audio[there] = np.nan, np.nan
    assert fusion.fuse(StepWindow(visual, audio, ~there, there, np.ones(steps, np.bool_))) == answer


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"schema": 1', '"schema": 2', "schema is 2, this version reads 1"),
        ('"valence": ', '"joy": ', "half_widths has"),
        ('"voice_arousal"', '"loudness"', "features are not those"),
        ('"sha256": "', '"sha256": "00', "sha256 is"),
        ('"file": "', '"file": "../', "graph.file is"),
        ('"name": "seen"', '"name": "shown"', "graph.inputs are not"),
    ],
)
def test_a_folder_that_was_altered_is_one_line(written: Path, tmp_path: Path, old: str, new: str, told: str) -> None:
    for file in (written / "bundle").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = tmp_path / "fusion.json"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    with pytest.raises(BundleError, match=told):
        JointFusion(tmp_path)


def test_pairs_need_their_table_and_voices_of_several_emotions(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = changed("jmt/pairs.toml", tmp_path, {**SHORT, 'tier = "open"': 'tier = "closed"'})
    assert main(["fit", "--config", str(recipe), "--run", str(tmp_path / "run"), "--data", str(data)]) == 2
    assert "speech/closed: no speaker has clips of two emotions" in capsys.readouterr().err
