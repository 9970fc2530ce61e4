"""`benchmarks/methods/ablation.py` on a finished run of the smallest recipe."""

import json
from pathlib import Path

import pytest

from benchmarks.methods.ablation import main
from tests.support.training.runs import CONFIGS, context
from train.methods.registry import load_recipe
from train.methods.relational.run import Run

SMOKE = CONFIGS / "relational" / "smoke.toml"
SMALLER = {
    "generated = 512": "generated = 96",
    "epochs = 4": "epochs = 1",
    "epochs = 3": "epochs = 1",
    "batches_per_epoch = 30": "batches_per_epoch = 4",
}


def test_variants_are_trained_on_a_run_s_features_and_compared_to_the_full_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.toml"
    text = SMOKE.read_text(encoding="utf-8")
    for old, new in SMALLER.items():
        assert old in text
        text = text.replace(old, new)
    recipe.write_text(text, encoding="utf-8")
    folder, out = tmp_path / "tiny", tmp_path / "ablation.json"
    Run(load_recipe(recipe).recipe, context(recipe, folder)).fit()
    command = [
        "--run", str(folder), "--config", str(recipe), "--seeds", "1", "2", "--batches", "6",
        "--variants", "no context", "--out", str(out),
    ]  # fmt: skip
    main(command)
    rows = json.loads(out.read_text())["results"]
    assert [row["variant"] for row in rows[:2]] == ["full", "no context"]
    assert {row["figure"] for row in rows} >= {
        "held-out pictures: accuracy",
        "held-out pictures: CCC, valence",
        "reported clips: CCC, arousal",
    }
    for full, other in zip(rows[::2], rows[1::2], strict=True):
        assert full["difference"] is None
        assert other["difference"] == pytest.approx(other["mean"] - full["mean"], abs=2e-4)
        assert other["low"] <= other["high"]
        assert full["lowest seed"] <= full["mean"] <= full["highest seed"]
    assert "| held-out pictures: accuracy | no context |" in out.with_suffix(".md").read_text()
    assert "epoch 1" in capsys.readouterr().out
    main(command)  # every training is there already
    assert "epoch 1" not in capsys.readouterr().out
    assert json.loads(out.read_text())["results"] == rows


def test_a_run_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--run", str(tmp_path / "none"), "--config", str(SMOKE)])
    assert str(ended.value).startswith(f"ablation: {tmp_path / 'none' / 'frame'}: 0 of 4 epochs are trained")
    with pytest.raises(SystemExit, match="is a recipe of protocol, not of the default model"):
        main(["--run", str(tmp_path / "none"), "--config", str(SMOKE.with_name("omg.toml"))])
