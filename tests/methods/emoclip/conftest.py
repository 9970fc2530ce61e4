"""What the tests of EmoCLIP share: one tiny random CLIP in the format of `transformers`."""

from pathlib import Path

import pytest

from tests.support.training.tiny_clip import save_tiny_clip
from train.methods.emoclip.clip_towers import ClipTowers, open_clip


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a recipe names."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("clip")
    save_tiny_clip(folder)
    return folder


@pytest.fixture(scope="session")
def towers(clip_folder: Path) -> ClipTowers:
    """The same, opened."""
    return open_clip(clip_folder)
