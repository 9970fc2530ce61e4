"""Every method is run alike: its folder, its record and its report, on the smallest run of a small method."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from streamaffect.errors import ConfigError
from tests.support.training.runs import CONFIGS
from train.errors import DataError, TrainingError
from train.loop.progress import Progress
from train.methods.harness import default_folder, prepare_recipe, run_recipe
from train.methods.registry import load_recipe

SMOKE = CONFIGS / "au_guided" / "smoke.toml"
QUIET = Progress(Console(quiet=True))
SMALL = {"drawn = 600": "drawn = 40", "epochs = ": "epochs = 2 # ", "size = ": "size = 24 # "}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recipe") / "small.toml"
    text = SMOKE.read_text()
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def finished(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    report = run_recipe("fit", recipe, QUIET, folder=folder)
    assert json.loads((folder / "report.json").read_text()) == report
    return folder


def times(folder: Path) -> dict[str, int]:
    """When each file of the training was written."""
    return {str(file): file.stat().st_mtime_ns for file in (folder / "training").rglob("*") if file.is_file()}


def test_a_run_leaves_its_record_its_report_and_its_bundle(finished: Path, recipe: Path) -> None:
    record = json.loads((finished / "run.json").read_text())
    assert record["recipe"]["name"] == load_recipe(recipe).recipe.name
    assert len(record["starts"]) == 1
    assert (finished / "bundle" / "manifest.json").exists()
    assert [path.name for path in (finished / "training").glob("step-*")] != []


def test_a_finished_run_is_scored_without_training_or_writing_a_bundle(finished: Path, recipe: Path) -> None:
    before, record = times(finished), (finished / "run.json").read_text()
    written_ns = (finished / "bundle" / "manifest.json").stat().st_mtime_ns
    report = run_recipe("evaluate", recipe, QUIET, folder=finished)
    assert report == json.loads((finished / "report.json").read_text())
    assert (times(finished), (finished / "run.json").read_text()) == (before, record)
    assert (finished / "bundle" / "manifest.json").stat().st_mtime_ns == written_ns


def test_a_finished_run_is_exported_without_training(finished: Path, recipe: Path, tmp_path: Path) -> None:
    before = times(finished)
    run_recipe("export", recipe, QUIET, folder=finished, target=tmp_path / "bundle")
    assert times(finished) == before
    for file in (finished / "bundle").glob("*.onnx"):
        assert (tmp_path / "bundle" / file.name).read_bytes() == file.read_bytes()


def test_what_is_not_finished_is_not_scored(recipe: Path, finished: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="training: 0 of 2 epochs are trained; `python -m train fit` with the same"):
        run_recipe("evaluate", recipe, QUIET, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    longer = tmp_path / "longer.toml"
    longer.write_text(recipe.read_text().replace("epochs = 2", "epochs = 3"))
    with pytest.raises(TrainingError, match="2 of 3 epochs are trained"):
        run_recipe("export", longer, QUIET, folder=finished, target=tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_method_without_anything_to_prepare_says_so(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the method au_guided prepares its data as it trains; use `fit`"):
        prepare_recipe(recipe, QUIET, folder=tmp_path)


def test_data_that_a_recipe_reads_need_a_folder(recipe: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(recipe.read_text().replace('data = "drawn"', 'data = "folds"'))
    with pytest.raises(DataError, match=r"mine\.toml needs --data: the folder that holds the pictures and folds/"):
        run_recipe("fit", file, QUIET, folder=tmp_path / "run")


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("au_guided/smoke", "au_guided_smoke"),
        ("emoclip/downstream_dfew", "emoclip_downstream_dfew"),
        ("relational/default", "default"),
        ("relational/default_first", "default_first"),  # trains a bundle of the same name
    ],
)
def test_runs_of_two_recipes_have_folders_of_their_own(file: str, folder: str) -> None:
    path = CONFIGS / f"{file}.toml"
    assert default_folder(path, load_recipe(path)) == Path("runs") / folder


def test_the_folder_of_one_s_own_recipe_is_called_like_its_file(recipe: Path) -> None:
    assert default_folder(recipe, load_recipe(recipe)) == Path("runs/small")
