"""`python -m train.methods` teaches, and ends a user's mistake with one line and exit code 2, in every recipe."""

from pathlib import Path

import msgspec
import pytest

from train.methods.command import main, recipes

SHIPPED = recipes()
WITH_DATA = [(file, method) for file, method, _ in SHIPPED if not file.stem.endswith("_smoke")]


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_the_help_names_every_method_and_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for file, method, about in SHIPPED:
        assert f"\n{method}\n" in text
        assert f"{file.name}  {about}" in text


def test_every_method_has_a_smoke_recipe_and_one_for_data() -> None:
    methods = {method for _, method, _ in SHIPPED}
    smoke = {method for file, method, _ in SHIPPED if file.stem.endswith("_smoke")}
    assert smoke == methods == {method for _, method in WITH_DATA}


@pytest.mark.parametrize("file", [file for file, _, _ in SHIPPED], ids=lambda file: file.stem)
def test_a_wrong_key_type_and_range_are_named(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = file.read_text(encoding="utf-8")
    recipe = tmp_path / file.name
    for changed, message in (
        (f"speed = 3\n{text}", "speed"),
        (text.replace("[optimiser]", "[optimizer]"), "optimi"),
        (text.replace("\nseed = ", '\nseed = "x" # '), "Expected `int`"),
        (text.replace("\nepochs = ", "\nepochs = 0 # "), ">= 1"),
        (f"{text}\n[", "at "),
    ):
        assert changed != text
        recipe.write_text(changed, encoding="utf-8")
        assert message in refused(["--config", str(recipe), "--run", str(tmp_path / "run")], capsys)


@pytest.mark.parametrize("file", [file for file, _ in WITH_DATA], ids=lambda file: file.stem)
def test_missing_data_are_named(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--data", str(tmp_path / "nowhere")]):
        error = refused(["--config", str(file), "--run", str(tmp_path / "run"), *words], capsys)
        assert "--data" in error or "nowhere" in error or "CLIP" in error or "cannot be read" in error


def test_a_missing_recipe_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be read" in refused(["--config", str(tmp_path / "none.toml")], capsys)


def test_shipped_recipes_are_named_like_their_files() -> None:
    for file, _, _ in SHIPPED:
        assert msgspec.toml.decode(file.read_bytes())["name"] == file.stem
