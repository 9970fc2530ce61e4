"""The recipes of JMT, PKDOT and subject-based adaptation run from start to end, on drawn and on given features."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from train.methods.command import main

CONFIGS = Path(__file__).parents[2] / "configs" / "train"


def run(recipe: Path, folder: Path, *more: str) -> dict[str, float]:
    assert main(["--config", str(recipe), "--run", str(folder), *more]) == 0
    report: dict[str, float] = json.loads((folder / "report.json").read_text())
    return report


def given(recipe: str, folder: Path) -> Path:
    """The smoke recipe, reading features of another backbone and training for one epoch."""
    path = folder / recipe
    text = (CONFIGS / recipe).read_text().replace('data = "drawn"', 'data = "features"')
    text = text.replace('bundle = "default"\n', "").replace('task = "affect"', 'task = "classes"\nclasses = 3')
    path.write_text("\n".join("epochs = 1" if line.startswith("epochs") else line for line in text.splitlines()))
    return path


def test_adaptation_helps_with_a_person_whose_features_are_shifted(tmp_path: Path) -> None:
    report = run(CONFIGS / "subject_msda/smoke.toml", tmp_path)
    assert report["target_accuracy"] > report["target_accuracy_sources_only"] + 0.1
    assert report["pseudo_label_accuracy"] > 0.8


def test_stage_two_may_use_the_closest_people_alone(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    text = (CONFIGS / "subject_msda/smoke.toml").read_text()
    reports = []
    for closest in ("0", "6", "2"):
        recipe.write_text(text.replace("rounds = 2", f"rounds = 2\nclosest = {closest}"))
        reports.append(run(recipe, tmp_path / closest))
    assert reports[0] == reports[1] != reports[2]


def test_a_finished_run_is_scored_again_without_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(CONFIGS / "subject_msda/smoke.toml", tmp_path)
    capsys.readouterr()
    assert run(CONFIGS / "subject_msda/smoke.toml", tmp_path) == first
    assert "epoch" not in capsys.readouterr().out


@pytest.mark.parametrize("recipe", ["jmt_smoke.toml", "pkdot_smoke.toml", "subject_msda_smoke.toml"])
def test_features_of_ones_own_backbone_are_read(recipe: str, tmp_path: Path) -> None:
    classes = torch.arange(60) % 3
    windows = {
        "visual": torch.randn(60, 5, 12),
        "audio": torch.randn(60, 5, 9),
        "heard": torch.ones(60, 5, dtype=torch.bool),
        "labels": torch.rand(60, 5, 2),
    }
    pairs = {"visual": torch.randn(60, 8), "privileged": torch.randn(60, 8), "labels": classes}
    people = {"features": torch.randn(60, 7), "labels": classes, "subjects": torch.arange(60) // 20}
    target = {"features": people["features"] * 1, "flipped": people["features"] * 1, "labels": classes * 1}
    parts = {
        "jmt_smoke.toml": {"train": windows, "val": windows},
        "pkdot_smoke.toml": {"train": pairs, "val": pairs},
        "subject_msda_smoke.toml": {"sources": people, "target": target},
    }[recipe]
    for part, tensors in parts.items():
        save_file(tensors, tmp_path / f"{part}.safetensors")
    path = given(recipe, tmp_path)
    path.write_text(path.read_text().replace("threshold = 0.8", "threshold = 0.3"))
    report = run(path, tmp_path / "run", "--data", str(tmp_path))
    assert all(-1 <= value <= 60 for value in report.values())


def test_without_a_confident_pseudo_label_the_run_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "mine.toml"
    text = (CONFIGS / "subject_msda/smoke.toml").read_text()
    recipe.write_text(text.replace("threshold = 0.8", "threshold = 1.0"))
    assert main(["--config", str(recipe), "--run", str(tmp_path / "run")]) == 2
    assert "lower `threshold`" in capsys.readouterr().err
