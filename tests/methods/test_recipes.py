"""The recipes of single methods run from start to end on generated data."""

import json
from pathlib import Path

import pytest

from streamaffect.runtime.bundle import load_bundle
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


def test_videos_lie_beside_the_sentences_of_their_class_better_than_their_mean_frame_does(tmp_path: Path) -> None:
    report = run("emoclip_smoke.toml", tmp_path)
    assert report["war"] > report["baseline_war"] + 0.2
    manifest = load_bundle(tmp_path / "bundle").manifest
    assert [output.name for output in manifest.heads[0].outputs][:2] == ["anger", "disgust"]


def test_a_head_of_ones_own_is_trained_on_the_embeddings_of_videos(tmp_path: Path) -> None:
    assert run("emoclip_downstream_smoke.toml", tmp_path)["war"] > 0.9
    head = load_bundle(tmp_path / "bundle").manifest.heads[0]
    assert (head.name, head.kind, len(head.outputs)) == ("expressions", "classification", 5)


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
