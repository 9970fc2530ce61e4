"""A recipe finds its method by the key `method`, those of earlier versions without it too."""

from pathlib import Path

import pytest

from streamaffect.errors import ConfigError
from tests.support.training.runs import CONFIGS
from train.methods.registry import METHODS, load_recipe
from train.methods.relational.recipe import Recipe
from train.recipes import recipes


@pytest.mark.parametrize(("file", "method"), [(file, method) for file, method, _ in recipes()], ids=str)
def test_a_shipped_recipe_is_valid_as_it_stands(file: Path, method: str) -> None:
    loaded = load_recipe(file)
    assert loaded.method is METHODS[method]
    assert isinstance(loaded.recipe, loaded.method.recipe_type())
    assert loaded.notes == []


@pytest.mark.parametrize("name", ["default", "default_first", "public", "resnet50", "smoke"])
def test_a_recipe_of_the_default_model_from_before_it_named_its_method_is_today_s(name: str, tmp_path: Path) -> None:
    today = CONFIGS / "relational" / f"{name}.toml"
    older = tmp_path / today.name
    older.write_text(today.read_text().replace('method = "relational"\n', ""))
    assert older.read_text() != today.read_text()
    loaded = load_recipe(older)
    assert isinstance(loaded.recipe, Recipe)
    assert loaded.recipe == load_recipe(today).recipe


@pytest.mark.parametrize("method", ['"no_method"', "3", "[]"])
def test_a_method_that_there_is_not_is_named_with_those_that_there_are(method: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f"method = {method}\n")
    with pytest.raises(ConfigError, match=r"mine\.toml: method = .* is none of relational, protocol, au_guided"):
        load_recipe(file)
