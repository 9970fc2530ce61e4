"""The smoke recipe of the voice model from start to end."""

import json
from pathlib import Path

import numpy as np

from streamaffect.types import SOUND_RATE_HZ
from streamaffect.voice.model import VoiceModel
from tests.support.training.other_device import other_device
from tests.support.training.runs import CONFIGS
from train.cli import main
from train.methods.voice.data import drawn_voice


def test_drawn_voices_are_told_apart_by_the_model_that_a_run_writes(tmp_path: Path) -> None:
    recipe = str(CONFIGS / "voice" / "smoke.toml")
    with other_device():
        assert main(["fit", "--config", recipe, "--run", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["ccc_held_out_speakers"] > 0.8
    model = VoiceModel(tmp_path / "bundle")
    assert model.manifest.half_width == report["half_width"]
    rng, time_s = np.random.default_rng(5), np.arange(2 * SOUND_RATE_HZ) / SOUND_RATE_HZ
    calm, excited = (model.arousal(drawn_voice(arousal, rng, time_s)) for arousal in (-0.8, 0.8))
    assert calm is not None and excited is not None and excited > calm + 0.5


def test_a_run_without_its_data_says_what_is_missing(tmp_path: Path) -> None:
    recipe = str(CONFIGS / "voice" / "default.toml")
    assert main(["fit", "--config", recipe, "--run", str(tmp_path / "run"), "--data", str(tmp_path)]) == 2
