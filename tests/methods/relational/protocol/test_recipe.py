"""The presets of published protocols, what is wrong in a protocol, and protocols of earlier versions."""

from pathlib import Path

import pytest
from torch import nn

from streamaffect.errors import ConfigError
from tests.support.training.runs import CONFIGS
from train.config import OptimiserConfig
from train.data.records import ClipRecord
from train.loop.optimiser import make_optimiser, set_rates
from train.methods.registry import load_recipe
from train.methods.relational.protocol.data import divide
from train.methods.relational.protocol.recipe import ProtocolDataConfig, ProtocolRecipe
from train.methods.relational.recipe import load_recipe as load_frame_recipe

PRESETS = CONFIGS / "relational"


def load(name: str) -> ProtocolRecipe:
    recipe = load_recipe(PRESETS / f"{name}.toml").recipe
    assert isinstance(recipe, ProtocolRecipe)
    return recipe


def rates(config: OptimiserConfig, epoch: int) -> tuple[float, float]:
    """Of the encoder, and of clip encoder and head, at the beginning of this epoch."""
    model = nn.ModuleDict({"encoder": nn.Linear(1, 1), "head": nn.Linear(1, 1)})
    optimiser = make_optimiser(model, config, model["encoder"])
    set_rates(optimiser, config, epoch * 10, per_epoch=10)
    found = {group["is_slow"]: group["lr"] for group in optimiser.param_groups}
    return found[True], found[False]


@pytest.mark.parametrize("name", ["amigos", "omg", "ness"])
def test_a_preset_is_valid_and_names_an_encoder_that_fits(name: str) -> None:
    recipe = load(name)
    frame = load_frame_recipe(PRESETS / recipe.encoder.recipe).frame
    assert recipe.name == name
    assert frame.dim % recipe.regressor.heads == 0
    assert (2 * frame.dim) % 4 == 0


def test_the_amigos_preset_has_the_published_values() -> None:
    recipe = load("amigos")
    assert recipe.outputs == ["arousal", "valence"]
    sequence, optimiser = recipe.sequence, recipe.optimiser
    assert (sequence.frames, sequence.window, sequence.every) == (16, 2, 8)
    assert (optimiser.kind, optimiser.warmup_epochs, optimiser.ema, optimiser.clip_norm) == ("sgd", 0, 0, 0)
    assert (optimiser.lr, optimiser.momentum, optimiser.weight_decay, optimiser.epochs) == (1e-5, 0.0, 5e-4, 50)
    assert (recipe.data.divide, recipe.data.train_share) == ("by subject", 0.2)
    assert (recipe.objective.main, recipe.objective.relational) == ("ccc", 1.0)


def test_rates_fall_tenfold_every_five_epochs_and_the_encoder_s_are_smaller_from_then_on() -> None:
    config = load("amigos").optimiser
    assert rates(config, 4) == (1e-5, 1e-5)
    assert rates(config, 5) == pytest.approx((1e-6 / 2.6, 1e-6))
    assert rates(config, 14) == pytest.approx((1e-7 / 2.6, 1e-7))


def test_a_cosine_falls_to_zero_with_a_smaller_rate_for_the_encoder_all_the_way() -> None:
    config = OptimiserConfig(epochs=10, batch=8, lr=0.1, kind="sgd", warmup_epochs=0, divisor=2.0)
    assert rates(config, 0) == pytest.approx((0.05, 0.1))
    assert rates(config, 5) == pytest.approx((0.025, 0.05))
    assert rates(config, 10) == pytest.approx((0.0, 0.0))


@pytest.mark.parametrize("name", ["amigos", "omg", "ness"])
def test_a_protocol_of_an_earlier_version_is_today_s_with_a_line_for_what_has_moved(name: str, tmp_path: Path) -> None:
    """Then protocols named no method, and their optimiser was plain SGD by itself."""
    file = tmp_path / f"{name}.toml"
    text = (PRESETS / file.name).read_text()
    unsaid = (
        'method = "protocol"',
        'kind = "sgd"',
        'schedule = "steps"',
        "warmup_epochs = 0",
        "clip_norm = 0",
        "ema = 0",
    )
    for line in unsaid:
        assert f"\n{line}\n" in text
        text = text.replace(f"\n{line}\n", "\n")
    file.write_text(text.replace("\ndivisor = ", "\nencoder_divisor = "))
    loaded = load_recipe(file)
    assert loaded.recipe == load(name)
    assert loaded.notes[0] == "optimiser.encoder_divisor is optimiser.divisor today"
    assert 'read with method = "protocol" and, under optimiser, kind = "sgd", schedule = "steps"' in loaded.notes[1]


def test_an_earlier_cosine_is_said_to_fall_with_every_step_today(tmp_path: Path) -> None:
    file = tmp_path / "older.toml"
    text = (PRESETS / "amigos.toml").read_text().replace('method = "protocol"', "")
    file.write_text(text.replace('schedule = "steps"', 'schedule = "cosine"'))
    loaded = load_recipe(file)
    assert loaded.recipe.optimiser.schedule == "cosine"
    assert loaded.recipe.optimiser.decay == 0.1
    assert loaded.notes[-1].startswith("optimiser.schedule: the cosine falls with every step today")


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
    text = (PRESETS / "ness.toml").read_text()
    assert old in text
    (tmp_path / "wrong.toml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_recipe(tmp_path / "wrong.toml")


def test_a_protocol_divides_as_it_says() -> None:
    records = [
        ClipRecord(str(number), str(number), Path("x.mp4"), 0.0, None, f"s{number}", split, {})
        for number, split in enumerate(["train", "train", "valid", "test"])
    ]
    by_subject, folds, fixed = (
        divide(ProtocolDataConfig("clips", kind, folds=2), records, seed=0) for kind in ("by subject", "folds", "fixed")
    )
    assert [len(fold.test) for fold in by_subject] == [1, 1, 1, 1]
    assert [len(fold.test) for fold in folds] == [2, 2]
    assert [(fold.train, fold.valid, fold.test) for fold in fixed] == [((0, 1), (2,), (3,))]
