"""`python -m train` teaches, and ends a user's mistake with one line and exit code 2, with every recipe."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.support.bundles import write_bundle
from tests.support.training.runs import CONFIGS, ROOT, train
from train.cli import main
from train.methods.registry import METHODS
from train.recipes import recipes

SHIPPED = recipes()
FILES = [file for file, _, _ in SHIPPED]
SMOKE = [(file, method) for file, method, _ in SHIPPED if file.stem.endswith("smoke")]
WITH_DATA = [(file, method) for file, method, _ in SHIPPED if not file.stem.endswith("smoke")]


def name(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_help_names_every_method_and_recipe_without_loading_a_heavy_library() -> None:
    check = (
        "import sys, train.cli\n"
        "try: train.cli.main(['fit', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(3 if {'torch', 'cv2', 'numpy'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--config" in done.stdout
    for file, method, about in SHIPPED:
        assert f"\n{method}\n" in done.stdout
        assert f"{file.relative_to(ROOT)}  {about}" in done.stdout


def test_the_old_command_of_the_methods_says_what_to_type_and_does_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "train.methods", "--config", str(tmp_path / "none.toml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    note, error = done.stderr.splitlines()
    assert note == f"note: python -m train.methods is python -m train fit --config {tmp_path / 'none.toml'} today"
    assert error.startswith(f"error: {tmp_path / 'none.toml'}: cannot be read")


def test_a_mistake_ends_the_program_with_one_line_and_exit_code_two(tmp_path: Path) -> None:
    done = train("card", "--config", CONFIGS / "relational" / "smoke.toml", "--export", tmp_path / "none")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'none'}")
    assert done.stderr.count("\n") == 1


UNTRAINED = "lens_compound"  # a product of probabilities: there is nothing to check by drawn faces, nor a seed


def test_every_method_has_a_smoke_recipe_and_one_for_data() -> None:
    protocols = {"protocol"}  # of which a test draws the data
    assert {method for _, method in SMOKE} | protocols | {UNTRAINED} == {method for _, method in WITH_DATA}


def test_shipped_recipes_are_named_like_their_files_with_their_method_before() -> None:
    for file in FILES:
        recipe = msgspec.toml.decode(file.read_bytes())
        own, is_lens = recipe["name"], recipe["method"].endswith("_lens")  # a lens publishes under its recipe's name
        method = "" if file.parent.name in ("relational", "lens") or is_lens else f"{file.parent.name}_"
        edition = "_first" if file.stem == "default_first" else ""  # both editions of the shipped bundle have its name
        assert f"{own}{edition}" == f"{method}{file.stem}".removesuffix("_default")


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_wrong_key_type_and_range_are_named(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = file.read_text(encoding="utf-8")
    recipe = tmp_path / file.name
    if f'method = "{UNTRAINED}"' in text:
        text += "seed = 0\n"
        trained: list[tuple[str, str]] = []
    else:
        trained = [
            (text.replace("optimiser]", "optimizer]"), "optimi"),
            (text.replace("\nepochs = ", "\nepochs = 0 # "), ">= 1"),
        ]
    for changed, message in (
        *trained,
        (f"speed = 3\n{text}", "speed"),
        (text.replace("\nseed = ", '\nseed = "x" # '), "Expected `int`"),
        (f"{text}\n[", "at "),
    ):
        assert changed != text
        recipe.write_text(changed, encoding="utf-8")
        assert message in refused(["fit", "--config", str(recipe), "--run", str(tmp_path / "run")], capsys)


@pytest.mark.parametrize("file", [file for file, _ in WITH_DATA], ids=name)
def test_missing_data_are_named(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--data", str(tmp_path / "nowhere")]):
        error = refused(["fit", "--config", str(file), "--run", str(tmp_path / "run"), *words], capsys)
        assert "--data" in error or "nowhere" in error or "CLIP" in error or "cannot be read" in error


@pytest.mark.parametrize("file", [file for file, _ in SMOKE], ids=name)
def test_what_is_not_trained_is_neither_scored_nor_exported(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in ("evaluate", "export"):
        error = refused([verb, "--config", str(file), "--run", str(tmp_path / "run")], capsys)
        assert "python -m train fit" in error
    assert not list(tmp_path.rglob("step-*"))
    assert not list(tmp_path.rglob("manifest.json"))


@pytest.mark.parametrize(("file", "method"), [one for one in SMOKE if not METHODS[one[1]].prepare])
def test_a_method_that_prepares_nothing_beforehand_says_so(
    file: Path, method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(["prepare", "--config", str(file), "--run", str(tmp_path / "run")], capsys)
    assert f"the method {method} prepares its data as it trains; use `fit`" in error
    assert not (tmp_path / "run").exists()


def test_the_card_is_that_of_the_bundle_in_the_run_s_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = CONFIGS / "au_guided" / "smoke.toml"
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "runs" / "au_guided_smoke" / "bundle")
    printed = []
    for words in ([], ["--run", "runs/au_guided_smoke"], ["--export", "runs/au_guided_smoke/bundle"]):
        assert main(["card", "--config", str(recipe), *words]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0].startswith("# ")
    assert printed == printed[:1] * 3
