"""Vision models of `transformers` as frame encoders."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from streamaffect.errors import ConfigError
from tests.support.training.tiny_vision import MEAN, SIDE, STD, save_tiny_vision
from train.data.augment import AugmentConfig, apply_view, draw_view, place, plain
from train.data.stills import with_channels
from train.errors import TrainingError
from train.methods.relational.encoders import encode_pictures, make_encoder
from train.methods.relational.recipe import load_recipe
from train.models.pretrained import PretrainedEncoder, open_pretrained

SMOKE = Path(__file__).parents[4] / "configs" / "train" / "relational" / "smoke.toml"


def crops(side: int, count: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def normalised(pictures: torch.Tensor) -> torch.Tensor:
    channels = pictures.permute(0, 3, 1, 2).float() / 255
    return (channels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


@pytest.mark.parametrize(("kind", "width"), [("resnet", 24), ("vit", 16)])
def test_a_model_is_fed_what_its_own_image_processor_would_feed_it(tmp_path: Path, kind: str, width: int) -> None:
    encoder = open_pretrained(str(save_tiny_vision(tmp_path, kind)), width)
    assert isinstance(encoder.project, torch.nn.Identity)
    pictures = crops(SIDE)
    with torch.no_grad():
        found = encoder.network(pixel_values=normalised(pictures))
        pooled = found.pooler_output.flatten(1) if kind == "resnet" else found.last_hidden_state.mean(dim=1)
        torch.testing.assert_close(encoder(pictures), pooled)
    assert not torch.allclose(encoder(pictures), encoder(pictures.flip(-1)))  # it sees colour


def test_another_width_is_reached_by_a_linear_map(tmp_path: Path) -> None:
    encoder = open_pretrained(str(save_tiny_vision(tmp_path, "resnet")), 10)
    assert encoder(crops(40)).shape == (3, 10)
    assert "project.weight" in encoder.state_dict()


def test_crops_are_resized_for_a_model_that_is_bound_to_a_size(tmp_path: Path) -> None:
    encoder = open_pretrained(str(save_tiny_vision(tmp_path, "vit")), 16)
    flat = torch.full((1, 48, 48, 3), 90, dtype=torch.uint8)
    torch.testing.assert_close(encoder(flat), encoder(flat[:, :SIDE, :SIDE]))


def test_without_an_image_processor_the_mean_of_imagenet_is_taken(tmp_path: Path) -> None:
    save_tiny_vision(tmp_path, "resnet")
    (tmp_path / "preprocessor_config.json").unlink()
    assert open_pretrained(str(tmp_path), 24).mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


def test_a_pooler_without_weights_is_not_used_and_other_missing_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file
    from transformers import ViTModel

    save_tiny_vision(tmp_path, "vit")
    ViTModel.from_pretrained(tmp_path).save_pretrained(tmp_path)  # with a pooler
    weights = load_file(tmp_path / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "pooler" not in name}
    assert len(kept) < len(weights)
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert open_pretrained(str(tmp_path), 16).network.pooler is None
    first = next(name for name in kept if "layernorm" in name)
    save_file({name: value for name, value in kept.items() if name != first}, tmp_path / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    with pytest.raises(TrainingError, match="its file lacks weights"):
        open_pretrained(str(tmp_path), 16)


@pytest.mark.parametrize("content", [None, "no JSON", json.dumps({"model_type": "unheard-of"})])
def test_what_is_no_vision_model_is_one_clear_line(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(TrainingError, match="cannot be opened as a vision model of transformers") as caught:
        open_pretrained(str(tmp_path), 8)
    assert "\n" not in str(caught.value)


def test_a_recipe_has_one_kind_of_encoder(tmp_path: Path) -> None:
    text = SMOKE.read_text()
    for wrong in (
        text.replace("widths = [8, 16, 16]\ndepths = [1, 1, 1]\n", ""),
        text.replace("[frame.optimiser]", '[frame.pretrained]\nname = "microsoft/resnet-50"\n\n[frame.optimiser]'),
        text.replace("depths = [1, 1, 1]", "depths = [1, 1]"),
    ):
        (tmp_path / "wrong.toml").write_text(wrong)
        with pytest.raises(ConfigError, match=r"either widths and depths .*frame"):
            load_recipe(tmp_path / "wrong.toml")


def test_pictures_reach_each_encoder_in_its_own_channels(tmp_path: Path) -> None:
    frame = load_recipe(SMOKE).frame
    small = make_encoder(frame).eval()
    assert not isinstance(small, PretrainedEncoder)
    assert not frame.colour
    grey = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(encode_pictures(small, grey), small.encode_grey(grey))
    torch.testing.assert_close(encode_pictures(small, crops(32)), small(crops(32)))


def test_colour_survives_what_augmentation_does_to_it() -> None:
    picture = np.zeros((48, 48, 3), np.uint8)
    picture[:] = (200, 90, 40)
    assert np.array_equal(place(picture, plain(1.0, mirrored=True), 48), picture)
    config = AugmentConfig(contrast=0, brightness=0, gamma=0, dark=0, hide=0, noise=1, compress=1, saturation=0)
    generator = np.random.default_rng(0)
    changed = apply_view(picture, draw_view(config, generator, shown=1.0), 48, generator)
    assert changed.shape == picture.shape
    assert np.abs(changed.mean(axis=(0, 1)) - (200, 90, 40)).max() < 12
    pale = msgspec.structs.replace(config, saturation=0.9, noise=0, compress=0)
    spreads = set()
    for _ in range(8):
        colours = apply_view(picture, draw_view(pale, generator, shown=1.0), 48, generator).mean(axis=(0, 1))
        spreads.add(round(float(colours[0] - colours[2])))
    assert min(spreads) < 140 < 170 < max(spreads)


def test_pictures_are_converted_to_the_channels_that_are_asked_for() -> None:
    grey, colour = np.full((2, 2), 7, np.uint8), np.full((2, 2, 3), 7, np.uint8)
    assert with_channels(grey, colour=False) is grey
    assert with_channels(colour, colour=True) is colour
    assert np.array_equal(with_channels(grey, colour=True), colour)
    assert np.array_equal(with_channels(colour, colour=False), grey)
