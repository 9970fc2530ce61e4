"""Runs of the joint multimodal transformer, on drawn and given features and from the folders of its data sets."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from streamaffect.runtime.bundle import load_bundle
from tests.support.training.audio_visual import (
    CONFIGS,
    SHORT,
    Finished,
    aff_wild2,
    changed,
    check_evaluate,
    own_clips,
    run,
)
from train.cli import main

SMOKE = CONFIGS / "jmt" / "smoke.toml"

# The other modes' graphs take seconds more to trace; test_model.py has them.
SMALL = SHORT | {'joint = "self_attention"': 'joint = "concat"'}


def test_what_is_only_heard_needs_the_sound(finished: Finished) -> None:
    assert finished.report["ccc_valence"] > 0.8
    assert finished.report["ccc_valence_without_sound"] > 0.8
    assert finished.report["ccc_arousal"] > 0.5
    assert finished.report["ccc_arousal_without_sound"] < 0.3


def test_a_finished_run_is_scored_again_without_training(finished: Finished) -> None:
    check_evaluate(finished, SMOKE)


def test_features_of_ones_own_backbone_are_read(tmp_path: Path) -> None:
    windows = {
        "visual": torch.randn(60, 5, 12),
        "audio": torch.randn(60, 5, 9),
        "heard": torch.ones(60, 5, dtype=torch.bool),
        "labels": torch.rand(60, 5, 2),
    }
    for part in ("train", "val"):
        save_file(windows, tmp_path / f"{part}.safetensors")
    features = {'data = "drawn"': 'data = "features"', 'bundle = "default"\n': ""}
    recipe = changed("jmt/smoke.toml", tmp_path, SHORT | features)
    report = run("fit", recipe, tmp_path / "run", "--data", str(tmp_path))
    assert all(-1 <= value <= 1 for value in report.values())
    assert not (tmp_path / "run" / "bundle").exists()


@pytest.mark.slow
def test_it_is_trained_from_aff_wild2s_folders(tmp_path: Path) -> None:
    recipe = changed("jmt/affwild2.toml", tmp_path, SMALL)
    report = run("fit", recipe, tmp_path / "run", "--data", str(aff_wild2(tmp_path / "data")))
    assert report["ccc_mean"] == pytest.approx((report["ccc_valence"] + report["ccc_arousal"]) / 2)
    assert -1 <= report["ccc_arousal_without_sound"] <= 1
    assert -1 <= report["ccc_arousal_smoothed"] <= 1
    manifest = load_bundle(tmp_path / "run" / "bundle").manifest
    assert manifest.context.past == 15
    assert manifest.clip.length_s == pytest.approx(32 / 30)
    assert manifest.sound is not None and manifest.sound.rate_hz == 44100


@pytest.mark.slow
def test_it_is_trained_from_ones_own_clips_with_their_sound(tmp_path: Path) -> None:
    recipe = changed("jmt/clips.toml", tmp_path, SMALL)
    report = run("fit", recipe, tmp_path / "run", "--data", str(own_clips(tmp_path / "data")))
    assert -1 <= report["ccc_valence"] <= 1
    assert load_bundle(tmp_path / "run" / "bundle").manifest.label.startswith("jmt")


@pytest.mark.parametrize(
    ("changes", "message"), [({'bundle = "default"\n': ""}, "needs `bundle`"), ({}, "needs --data: the folder")]
)
def test_a_recipe_without_its_backbone_or_data_says_so(
    changes: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = changed("jmt/clips.toml", tmp_path, changes)
    assert main(["fit", "--config", str(recipe), "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
