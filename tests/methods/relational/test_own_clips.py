"""Training on a table of one's own clips, from video file to bundle, with real faces."""

from pathlib import Path

import pytest

from streamaffect import load_bundle
from streamaffect.sources.demo import DEMO_CLIP
from train.cli import main

SMOKE = Path(__file__).parents[3] / "configs" / "train" / "relational" / "smoke.toml"
HEADER = "path,start_s,end_s,subject,split,valence,arousal\n"
ROWS = (
    "demo.mp4,0,1,anna,train,0.5,0.2\n"
    "demo.mp4,1,2,anna,train,-0.5,0.1\n"
    "other.mp4,0,1,bert,valid,0.3,0.2\n"
    "other.mp4,1.5,2.5,bert,valid,-0.2,0.1\n"
)  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with two recordings and their table."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("demo.mp4", "other.mp4"):
        (folder / name).symlink_to(DEMO_CLIP)
    (folder / "clips.csv").write_text(HEADER + ROWS)
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """The smoke recipe on clips, without emotions."""
    text = SMOKE.read_text().replace('kind = "generated"', 'kind = "clips"\nvideos = 0').replace("generated = 512", "")
    text = text.replace("batch = 32", "batch = 8").replace("relational = 0.2", "relational = 0.2\ncross_entropy = 0.0")
    file = tmp_path / "own.toml"
    file.write_text(text + "\n[frame.loss]\ncross_entropy = 0.0\n")
    return file


def run(verb: str, recipe: Path, data: Path) -> int:
    return main([verb, "--config", str(recipe), "--data", str(data), "--run", str(data.parent / "run")])


@pytest.mark.slow
def test_a_table_of_clips_becomes_a_bundle_without_the_head_that_had_no_labels(recipe: Path, data: Path) -> None:
    assert run("fit", recipe, data) == 0
    bundle = load_bundle(data.parent / "run" / "bundle")
    assert [head.name for head in bundle.manifest.heads] == ["affect", "affect_spread"]
    assert bundle.manifest.training.data == ["2 clips of clips.csv"]


def test_labels_outside_their_range_are_refused(recipe: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "clips.csv").write_text(HEADER + ROWS.replace("-0.5", "-5"))
    assert run("prepare", recipe, data) == 2
    assert "valence is -5, expected -1 to 1" in capsys.readouterr().err


def test_emotions_cannot_be_learned_without_their_columns(
    recipe: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(recipe.read_text().replace("cross_entropy = 0.0", "cross_entropy = 1.0"))
    assert run("fit", recipe, data) == 2
    assert "has no column for every emotion" in capsys.readouterr().err
