"""The smoke recipe of action-unit guidance from start to end."""

import json
from pathlib import Path

from tests.support.training.other_device import other_device
from tests.support.training.runs import CONFIGS
from train.cli import main


def test_guided_attention_lies_on_the_action_units(tmp_path: Path) -> None:
    with other_device():
        assert main(["fit", "--config", str(CONFIGS / "au_guided" / "smoke.toml"), "--run", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["attention_pearson"] > 0.7
    assert report["accuracy"] > 0.2
