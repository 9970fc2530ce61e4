"""What the tests of subject-based adaptation share: one finished run of the smoke recipe."""

from pathlib import Path

import pytest

from tests.support.training.other_device import other_device
from train.cli import main

SMOKE = Path(__file__).parents[3] / "configs" / "train" / "subject_msda" / "smoke.toml"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder."""
    folder = tmp_path_factory.mktemp("smoke") / "run"
    with other_device():
        assert main(["fit", "--config", str(SMOKE), "--run", str(folder)]) == 0
    return folder
