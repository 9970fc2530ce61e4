"""The recipes of single methods run from start to end on generated data."""

import json
from pathlib import Path

import pytest

from train.methods.command import main

CONFIGS = Path(__file__).parents[2] / "configs" / "train"


def run(recipe: str, folder: Path) -> dict[str, float]:
    assert main(["--config", str(CONFIGS / recipe), "--run", str(folder)]) == 0
    report: dict[str, float] = json.loads((folder / "report.json").read_text())
    return report


def test_guided_attention_lies_on_the_action_units(tmp_path: Path) -> None:
    report = run("au_guided_smoke.toml", tmp_path)
    assert report["attention_pearson"] > 0.7
    assert report["accuracy"] > 0.2


def test_a_finished_run_is_scored_again_without_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run("au_guided_smoke.toml", tmp_path)
    capsys.readouterr()
    assert run("au_guided_smoke.toml", tmp_path) == first
    assert "epoch" not in capsys.readouterr().out


def test_a_recipe_with_an_unknown_key_or_without_its_data_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (CONFIGS / "au_guided/smoke.toml").read_text()
    recipe = tmp_path / "mine.toml"
    for changed, message in (
        (text.replace("drawn = 600", "pictures = 600"), "pictures"),
        (text.replace('data = "drawn"', 'data = "folds"'), "needs --data"),
        (text.replace('"au_guided"', '"no_method"'), "no_method"),
    ):
        recipe.write_text(changed)
        assert main(["--config", str(recipe), "--run", str(tmp_path / "run")]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert message in error
