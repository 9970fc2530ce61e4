"""The recipe of subject-based adaptation from start to end, on drawn and on given features."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from streamaffect.runtime.bundle import load_bundle
from train.cli import main

SMOKE = Path(__file__).parents[3] / "configs" / "train" / "subject_msda" / "smoke.toml"


def run(verb: str, recipe: Path, folder: Path, *more: str) -> dict[str, float]:
    assert main([verb, "--config", str(recipe), "--run", str(folder), *more]) == 0
    report: dict[str, float] = json.loads((folder / "report.json").read_text())
    return report


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """The smoke recipe with other values."""
    text = SMOKE.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    recipe = folder / "mine.toml"
    recipe.write_text(text)
    return recipe


def test_adaptation_helps_with_a_person_whose_features_are_shifted(finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text())
    assert report["target_accuracy"] > report["target_accuracy_sources_only"] + 0.1
    assert report["pseudo_label_accuracy"] > 0.8


def test_stage_two_may_use_the_closest_people_alone(finished: Path, tmp_path: Path) -> None:
    reports = [json.loads((finished / "report.json").read_text())]
    for closest in ("6", "2"):
        recipe = changed(tmp_path, ("rounds = 2", f"rounds = 2\nclosest = {closest}"))
        reports.append(run("fit", recipe, tmp_path / closest))
    assert reports[0] == reports[1] != reports[2]


def test_a_finished_run_is_scored_and_exported_again_without_training(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((finished / "report.json").read_text())
    capsys.readouterr()
    assert run("fit", SMOKE, finished) == before
    assert run("evaluate", SMOKE, finished) == before
    assert run("export", SMOKE, finished, "--export", str(tmp_path / "bundle")) == before
    graphs = [load_bundle(folder).manifest.graphs for folder in (finished / "bundle", tmp_path / "bundle")]
    assert graphs[0] == graphs[1]
    assert "epoch" not in capsys.readouterr().out


def test_features_of_ones_own_backbone_are_read_and_give_no_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = torch.arange(60) % 3
    features = torch.randn(60, 7, generator=torch.Generator().manual_seed(0))
    people = {"features": features, "labels": labels, "subjects": torch.arange(60) // 20}
    save_file(people, tmp_path / "sources.safetensors")
    target = {"features": features.clone(), "flipped": features.clone(), "labels": labels.clone()}
    save_file(target, tmp_path / "target.safetensors")
    recipe = changed(
        tmp_path, ('data = "drawn"', 'data = "features"'), ("epochs = 3", "epochs = 1"), ("0.8", "0.3")
    )  # fmt: skip
    report = run("fit", recipe, tmp_path / "run", "--data", str(tmp_path))
    assert all(0 <= value <= 60 for value in report.values())
    assert "bundle: not written: the features have 7 numbers" in capsys.readouterr().out
    assert not (tmp_path / "run" / "bundle").exists()


def test_without_a_confident_pseudo_label_the_run_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = changed(tmp_path, ("threshold = 0.8", "threshold = 1.0"))
    assert main(["fit", "--config", str(recipe), "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "lower `threshold`" in error
