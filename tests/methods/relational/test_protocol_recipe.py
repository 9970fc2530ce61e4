"""The presets of published protocols, and what is wrong in a protocol."""

from pathlib import Path

import pytest

from streamaffect.errors import ConfigError
from train.data.records import ClipRecord, LabelledClips
from train.methods.relational.protocol.recipe import ProtocolDataConfig, SgdConfig, divide, load_protocol
from train.methods.relational.protocol.run import learning_rates
from train.methods.relational.recipe import load_recipe

PRESETS = Path(__file__).parents[3] / "configs" / "train"


@pytest.mark.parametrize("name", ["amigos", "omg", "ness"])
def test_a_preset_is_valid_and_names_an_encoder_that_fits(name: str) -> None:
    recipe = load_protocol(PRESETS / f"{name}.toml")
    frame = load_recipe(PRESETS / recipe.encoder.recipe).frame
    assert recipe.name == name
    assert frame.dim % recipe.regressor.heads == 0
    assert (2 * frame.dim) % 4 == 0


def test_the_amigos_preset_has_the_published_values() -> None:
    recipe = load_protocol(PRESETS / "relational/amigos.toml")
    assert recipe.outputs == ["arousal", "valence"]
    sequence, optimiser = recipe.sequence, recipe.optimiser
    assert (sequence.frames, sequence.window, sequence.every) == (16, 2, 8)
    assert (optimiser.lr, optimiser.momentum, optimiser.weight_decay, optimiser.epochs) == (1e-5, 0.0, 5e-4, 50)
    assert (recipe.data.divide, recipe.data.train_share) == ("by subject", 0.2)
    assert (recipe.objective.main, recipe.objective.relational) == ("ccc", 1.0)


def test_rates_fall_tenfold_every_five_epochs_and_the_encoder_s_are_smaller_from_then_on() -> None:
    config = load_protocol(PRESETS / "relational/amigos.toml").optimiser
    assert learning_rates(config, 4) == (1e-5, 1e-5)
    assert learning_rates(config, 5) == pytest.approx((1e-6 / 2.6, 1e-6))
    assert learning_rates(config, 14) == pytest.approx((1e-7 / 2.6, 1e-7))


def test_a_cosine_falls_to_zero_with_a_smaller_rate_for_the_encoder_all_the_way() -> None:
    config = SgdConfig(epochs=10, batch=8, lr=0.1, schedule="cosine", encoder_divisor=2.0)
    assert learning_rates(config, 0) == pytest.approx((0.05, 0.1))
    assert learning_rates(config, 5) == pytest.approx((0.025, 0.05))
    assert learning_rates(config, 10) == pytest.approx((0.0, 0.0))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch = 8", "batch = 1", r">= 2.*optimiser\.batch"),
        ('divide = "folds"', 'divide = "randomly"', r"randomly.*data\.divide"),
        ("relational = 1.0", "relation = 1.0", "relation"),
        ("N6 = [1, 7]\n", "", "data.ranges names N1, N3, total; expected a range for each of N3, N6, N1, total"),
    ],
)
def test_a_wrong_protocol_names_the_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (PRESETS / "relational/ness.toml").read_text()
    assert old in text
    (tmp_path / "wrong.toml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_protocol(tmp_path / "wrong.toml")


def test_a_missing_protocol_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config takes a protocol"):
        load_protocol(tmp_path / "none.toml")


def test_a_protocol_divides_as_it_says() -> None:
    records = tuple(
        ClipRecord(str(number), str(number), Path("x.mp4"), 0.0, None, f"s{number}", split, {})
        for number, split in enumerate(["train", "train", "valid", "test"])
    )
    clips = LabelledClips(records, {})
    by_subject, folds, fixed = (
        divide(ProtocolDataConfig("clips", kind, folds=2), clips, seed=0) for kind in ("by subject", "folds", "fixed")
    )
    assert [len(fold.test) for fold in by_subject] == [1, 1, 1, 1]
    assert [len(fold.test) for fold in folds] == [2, 2]
    assert [(fold.train, fold.valid, fold.test) for fold in fixed] == [((0, 1), (2,), (3,))]
