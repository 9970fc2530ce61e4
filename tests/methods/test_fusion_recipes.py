"""The recipes of JMT and PKDOT run from start to end, on drawn and on given features."""

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


@pytest.mark.parametrize("recipe", ["jmt_smoke.toml", "pkdot_smoke.toml"])
def test_features_of_ones_own_backbone_are_read(recipe: str, tmp_path: Path) -> None:
    classes = torch.arange(60) % 3
    windows = {
        "visual": torch.randn(60, 5, 12),
        "audio": torch.randn(60, 5, 9),
        "heard": torch.ones(60, 5, dtype=torch.bool),
        "labels": torch.rand(60, 5, 2),
    }
    pairs = {"visual": torch.randn(60, 8), "privileged": torch.randn(60, 8), "labels": classes}
    parts = {
        "jmt_smoke.toml": {"train": windows, "val": windows},
        "pkdot_smoke.toml": {"train": pairs, "val": pairs},
    }[recipe]
    for part, tensors in parts.items():
        save_file(tensors, tmp_path / f"{part}.safetensors")
    path = given(recipe, tmp_path)
    report = run(path, tmp_path / "run", "--data", str(tmp_path))
    assert all(-1 <= value <= 60 for value in report.values())
