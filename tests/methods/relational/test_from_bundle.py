"""Training goes on with the frame encoder of a bundle."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from streamaffect.errors import StreamAffectError
from train.methods.relational.from_bundle import load_exported_encoder
from train.methods.relational.recipe import load_recipe
from train.models.frame_encoder import FrameEncoder

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "engines" / "default"


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    generator = np.random.default_rng(0)
    coarse = torch.from_numpy(generator.uniform(0, 255, (24, 1, 8, 8)).astype(np.float32))
    return torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear")[:, 0].to(torch.uint8)


@pytest.fixture
def encoder(pictures: torch.Tensor) -> FrameEncoder:
    frame = load_recipe(ROOT / "configs" / "train" / "relational" / "default.toml").frame
    encoder = FrameEncoder(frame.dim, widths=frame.widths, depths=frame.depths)
    load_exported_encoder(SHIPPED, encoder, pictures)
    return encoder


def test_it_computes_what_the_graph_computes(encoder: FrameEncoder, pictures: torch.Tensor) -> None:
    session = onnxruntime.InferenceSession(SHIPPED / "frame_encoder.onnx", providers=["CPUExecutionProvider"])
    crops = pictures[:, :, :, None].expand(-1, -1, -1, 3).contiguous()
    (expected,) = session.run(["features"], {"crops": crops.numpy()})
    with torch.inference_mode():
        found = encoder.eval()(crops).numpy()
    assert np.abs(found - expected).max() < 1e-4


def test_training_mode_computes_the_same_on_the_pictures_that_it_was_unfolded_with(
    encoder: FrameEncoder, pictures: torch.Tensor
) -> None:
    with torch.no_grad():
        expected = encoder.eval().encode_grey(pictures)
        found = encoder.train().encode_grey(pictures)
    assert float((found - expected).abs().max()) < 1e-3
    variances = [tensor for name, tensor in encoder.state_dict().items() if name.endswith("running_var")]
    assert all(
        float(variance.min()) > 0 and not torch.equal(variance, torch.ones_like(variance)) for variance in variances
    )


def test_another_shape_is_refused(pictures: torch.Tensor) -> None:
    with pytest.raises(StreamAffectError, match=r"frame_encoder\.onnx: is no frame encoder of this dim"):
        load_exported_encoder(SHIPPED, FrameEncoder(12, widths=(8, 8, 16), depths=(1, 1, 1)), pictures)
