"""What the tests of relational regression share: one finished run of its smoke recipe, and drawn faces as AMIGOS."""

import json
from pathlib import Path

import cv2
import pytest

from streamaffect import Bundle, load_bundle
from tests.support.training.other_device import other_device
from tests.support.training.runs import CONFIGS
from train.cli import main
from train.methods.relational.data.generated import generated_videos

SMOKE = CONFIGS / "relational" / "smoke.toml"
SUBJECTS, SEGMENTS = 4, 3


REFUSED_SHARE = "train.bundle.variants.REFUSED_SHARE"
COARSE = 0.25  # three epochs on drawn faces end in a model whose int8 twin is coarser than one of real faces may be


@pytest.fixture(autouse=True)
def coarse_twins_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what the tests export themselves."""
    monkeypatch.setattr(REFUSED_SHARE, COARSE)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run, which no test may change."""
    folder = tmp_path_factory.mktemp("smoke") / "run"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(REFUSED_SHARE, COARSE)
        with other_device():
            assert main(["fit", "--config", str(SMOKE), "--run", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def bundle(finished: Path) -> Bundle:
    return load_bundle(finished / "bundle")


@pytest.fixture(scope="session")
def amigos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Segments of swinging faces in the layout of AMIGOS, rated by what they show on average; not to be changed."""
    root = tmp_path_factory.mktemp("amigos")
    videos = iter(generated_videos(SUBJECTS * SEGMENTS, seed=3))
    tree = {}
    for subject in range(1, SUBJECTS + 1):
        segments = {}
        for segment in range(1, SEGMENTS + 1):
            video = next(videos)
            folder = root / "group" / f"P{subject}_1_face" / str(segment)
            folder.mkdir(parents=True)
            for number, picture in enumerate(video.pictures, start=1):
                cv2.imwrite(str(folder / f"image_{number:05d}.jpg"), picture)
            valence, arousal = video.affect.mean(axis=0).tolist()
            segments[str(segment)] = {"Valence": [valence] * 3, "Arousal": [arousal] * 3}
        tree[str(subject)] = {"Videos": {"1": {"Segments": segments}}}
    (root / "amigos.json").write_text(json.dumps(tree))
    return root
