"""What the tests of the joint multimodal transformer share: one finished run of its smoke recipe."""

import pytest

from tests.support.training.audio_visual import CONFIGS, Finished, finish_once


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finish_once(CONFIGS / "jmt" / "smoke.toml", tmp_path_factory)
