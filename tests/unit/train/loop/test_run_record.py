"""The record of a run says what it was started with, and what was changed on the way."""

import json
from pathlib import Path

import msgspec

from train.loop.run_record import plain_settings, record_start
from train.methods import registry
from train.methods.relational.recipe import load_recipe

SMOKE = Path(__file__).parents[4] / "configs" / "train" / "relational" / "smoke.toml"


def test_recipe_seed_and_commit_are_written_at_every_start(tmp_path: Path) -> None:
    recipe = load_recipe(SMOKE)
    assert record_start(tmp_path, recipe) == []
    assert record_start(tmp_path, recipe) == []
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["recipe"]["frame"]["optimiser"]["lr"] == recipe.frame.optimiser.lr
    assert [start["seed"] for start in record["starts"]] == [recipe.seed, recipe.seed]
    assert {"at", "commit", "python", "torch"} <= record["starts"][0].keys()


def test_a_protocol_with_ranges_is_the_same_after_it_was_written_and_read() -> None:
    settings = plain_settings(registry.load_recipe(SMOKE.with_name("ness.toml")).recipe)
    assert json.loads(json.dumps(settings)) == settings


def test_a_recipe_that_was_changed_on_the_way_is_named_key_by_key(tmp_path: Path) -> None:
    recipe = load_recipe(SMOKE)
    record_start(tmp_path, recipe)
    optimiser = msgspec.structs.replace(recipe.frame.optimiser, lr=0.5)
    changed = msgspec.structs.replace(recipe, seed=4, frame=msgspec.structs.replace(recipe.frame, optimiser=optimiser))
    assert record_start(tmp_path, changed) == ["frame.optimiser.lr: 0.005 → 0.5", "seed: 3 → 4"]
