"""The small frame encoder."""

import pytest
import torch

from train.models.frame_encoder import FrameEncoder, standardise


@pytest.fixture
def encoder() -> FrameEncoder:
    torch.manual_seed(0)
    return FrameEncoder(12, widths=(8, 8, 16), depths=(1, 1, 1)).eval()


def test_crops_become_features(encoder: FrameEncoder) -> None:
    assert encoder(torch.zeros(3, 32, 32, 3, dtype=torch.uint8)).shape == (3, 12)


def test_colour_is_greyed_inside_the_network(encoder: FrameEncoder) -> None:
    crops = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    grey = crops.float() @ torch.tensor([0.299, 0.587, 0.114])
    assert torch.equal(encoder(crops), encoder.encode_grey(grey))


def test_light_and_contrast_do_not_change_the_features(encoder: FrameEncoder) -> None:
    picture = torch.randint(60, 180, (1, 32, 32), generator=torch.Generator().manual_seed(2)).float()
    assert torch.allclose(encoder.encode_grey(picture), encoder.encode_grey(picture * 1.3 + 10), atol=1e-4)


def test_a_flat_picture_stays_finite_and_small() -> None:
    nearly_flat = torch.full((1, 8, 8), 100.0)
    nearly_flat[0, 0, 0] = 101
    assert standardise(nearly_flat).abs().max() < 0.2
