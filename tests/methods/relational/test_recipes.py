"""Recipes: the shipped ones are valid, wrong ones are named."""

from pathlib import Path

import pytest

from streamaffect.errors import ConfigError
from train.data.videos import read_people
from train.errors import DataError
from train.methods.relational.recipe import load_recipe

RECIPES = Path(__file__).parents[3] / "configs" / "train" / "relational"
SMOKE = (RECIPES / "smoke.toml").read_text()


@pytest.mark.parametrize("name", ["default.toml", "public.toml", "resnet50.toml", "smoke.toml"])
def test_a_shipped_recipe_is_valid(name: str) -> None:
    assert load_recipe(RECIPES / name).name == name.removesuffix(".toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dropout = 0.0", "drop_out = 0.0", "drop_out"),
        ("dropout = 0.0", "dropout = 1.5", r"<= 1.*frame\.dropout"),
        ("epochs = 4", "epochs = 0", r">= 1.*frame\.optimiser\.epochs"),
        ("seed = 3", 'seed = "three"', r"Expected `int`.*seed"),
        ('kind = "generated"', 'kind = "imagined"', r"imagined.*data\.kind"),
        ("[crop]", "[crop", "Expected|Invalid|invalid"),
    ],
)
def test_a_wrong_recipe_names_the_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    recipe = tmp_path / "wrong.toml"
    recipe.write_text(SMOKE.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        load_recipe(recipe)


def test_a_missing_recipe_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config takes a recipe"):
        load_recipe(tmp_path / "none.toml")


def test_no_person_of_the_default_split_is_in_two_parts() -> None:
    people = read_people(RECIPES / "default_people.csv")
    assert {split for _, split in people.values()} == {"train", "valid", "report"}


def test_a_person_in_two_splits_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("file,person,split\na.mp4,anna,train\nb.mp4,anna,report\n")
    with pytest.raises(DataError, match="anna is in train and in report"):
        read_people(file)
