"""A recipe with a vision model of `transformers`, from colour pictures to a bundle that streams; and in a protocol."""

from pathlib import Path

import numpy as np
import pytest

from streamaffect import load_bundle
from streamaffect.affect.estimate import Estimator, Observation
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from tests.support.training.tiny_vision import save_tiny_vision
from train.cli import main
from train.methods import registry
from train.methods.relational.encoders import make_encoder
from train.methods.relational.protocol.model import learn_norms_only
from train.methods.relational.protocol.recipe import EncoderConfig
from train.methods.relational.recipe import load_recipe

RECIPES = Path(__file__).parents[3] / "configs" / "train" / "relational"


def recipe(folder: Path, kind: str) -> Path:
    """The smoke recipe with another encoder, and shorter."""
    model = save_tiny_vision(folder / "model", kind)
    text = (RECIPES / "smoke.toml").read_text().replace("generated = 512", "generated = 96")
    text = text.replace("epochs = 4", "epochs = 1").replace("epochs = 3", "epochs = 1")
    text = text.replace("batches_per_epoch = 30", "batches_per_epoch = 3")
    text = text.replace("widths = [8, 16, 16]\ndepths = [1, 1, 1]\n", "")
    file = folder / "colour.toml"
    file.write_text(text + f'\n[frame.pretrained]\nname = "{model}"\n')
    return file


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["resnet", "vit"])
def test_a_pretrained_encoder_is_trained_exported_and_streamed(tmp_path: Path, kind: str) -> None:
    run = tmp_path / "run"
    assert main(["fit", "--config", str(recipe(tmp_path, kind)), "--run", str(run)]) == 0
    bundle = load_bundle(run / "bundle")
    engine = OnnxRuntimeEngine(bundle)
    estimator = Estimator(bundle, engine)
    crop = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    seen = [
        estimator.step([Observation(("a", 1), 0.08 * step, picture)]).predictions[0].heads["affect"]
        for step, picture in enumerate((crop, crop, np.ascontiguousarray(crop[..., ::-1])))
    ]
    assert all(np.isfinite(affect).all() for affect in seen)
    assert not np.allclose(seen[1], seen[2])  # other colours, other features
    engine.close()


def test_only_norms_and_the_last_map_of_a_pretrained_encoder_learn_in_the_published_way(tmp_path: Path) -> None:
    encoder = make_encoder(load_recipe(recipe(tmp_path, "resnet")).frame)
    learn_norms_only(encoder)
    learning = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert {"project.weight", "project.bias"} < learning
    assert all("normalization" in name or name.startswith("project") for name in learning)


def test_a_protocol_takes_the_recipe_with_a_resnet_as_its_encoder() -> None:
    published = registry.load_recipe(RECIPES / "amigos.toml").recipe
    encoder = EncoderConfig(recipe="resnet50.toml", learns="norms")
    frame = load_recipe(RECIPES / encoder.recipe).frame
    assert frame.pretrained is not None
    assert frame.pretrained.name == "microsoft/resnet-50"
    assert frame.dim == 2048
    assert frame.dim % published.regressor.heads == 0
