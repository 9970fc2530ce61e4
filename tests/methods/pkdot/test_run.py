"""Runs of PKDOT, on drawn and given features and from the folders of its data sets."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from streamaffect.runtime.bundle import load_bundle
from tests.support.training.audio_visual import (
    CONFIGS,
    SHORT,
    Finished,
    biovid,
    changed,
    check_evaluate,
    own_clips,
    run,
)
from train.cli import main

SMOKE = CONFIGS / "pkdot" / "smoke.toml"


def test_the_structure_loss_brings_the_student_nearer_to_the_teachers_structure(finished: Finished) -> None:
    assert finished.report["teacher_ccc_valence"] > 0.9
    assert finished.report["student_ccc_valence"] > 0.4
    assert (
        finished.report["student_structure_distance"]
        < 0.8 * finished.report["student_without_structure_structure_distance"]
    )


def test_a_finished_run_is_scored_and_exported_again_without_training(finished: Finished, tmp_path: Path) -> None:
    check_evaluate(finished, SMOKE)
    assert run("export", SMOKE, finished.folder, "--export", str(tmp_path / "bundle")) == finished.report
    assert load_bundle(tmp_path / "bundle").manifest.graphs == finished.bundle.manifest.graphs


def test_features_of_ones_own_backbone_are_read(tmp_path: Path) -> None:
    pairs = {"visual": torch.randn(60, 8), "privileged": torch.randn(60, 8), "labels": torch.arange(60) % 3}
    for part in ("train", "val"):
        save_file(pairs, tmp_path / f"{part}.safetensors")
    features = {
        'data = "drawn"': 'data = "features"',
        'bundle = "default"\n': "",
        'task = "affect"': 'task = "classes"\nclasses = 3',
    }
    recipe = changed("pkdot/smoke.toml", tmp_path, SHORT | features)
    report = run("fit", recipe, tmp_path / "run", "--data", str(tmp_path))
    assert all(0 <= value <= 60 for value in report.values())
    assert not (tmp_path / "run" / "bundle").exists()


@pytest.mark.slow
def test_it_is_trained_from_biovids_folders(tmp_path: Path) -> None:
    recipe = changed("pkdot/biovid.toml", tmp_path, SHORT)
    report = run("fit", recipe, tmp_path / "run", "--data", str(biovid(tmp_path / "data")))
    assert {"teacher_accuracy", "student_accuracy", "student_without_structure_accuracy"} <= set(report)
    (head,) = load_bundle(tmp_path / "run" / "bundle").manifest.heads
    assert [output.name for output in head.outputs] == ["no_pain", "pain"]


@pytest.mark.slow
def test_it_is_trained_from_ones_own_clips_with_their_sound(tmp_path: Path) -> None:
    recipe = changed("pkdot/clips.toml", tmp_path, SHORT)
    report = run("fit", recipe, tmp_path / "run", "--data", str(own_clips(tmp_path / "data")))
    assert -1 <= report["student_ccc_valence"] <= 1
    assert load_bundle(tmp_path / "run" / "bundle").manifest.label.startswith("pkdot")


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        ("pkdot/biovid.toml", {'task = "classes"': 'task = "affect"'}, "has labels for the task 'classes'"),
        ("pkdot/clips.toml", {}, "needs --data: the folder"),
    ],
)
def test_a_recipe_with_another_task_or_without_its_data_says_so(
    recipe: str, changes: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(recipe, tmp_path, changes)
    assert main(["fit", "--config", str(path), "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
