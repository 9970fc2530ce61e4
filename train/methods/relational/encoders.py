"""The frame encoder that a recipe asks for: the small one of ours, which sees grey, or a pretrained one in colour."""

from torch import Tensor

from ...models.frame_encoder import FrameEncoder
from ...models.pretrained import PretrainedEncoder, open_pretrained
from .recipe import FrameConfig

Encoder = FrameEncoder | PretrainedEncoder


def make_encoder(config: FrameConfig) -> Encoder:
    """A new encoder; raises TrainingError where a pretrained model cannot be opened."""
    if (chosen := config.pretrained) is not None:
        return open_pretrained(chosen.name, config.dim, revision=chosen.revision, pixels=chosen.pixels)
    return FrameEncoder(config.dim, widths=config.widths, depths=config.depths)


def encode_pictures(encoder: Encoder, pictures: Tensor) -> Tensor:
    """pictures (N, S, S) grey or (N, S, S, 3) RGB uint8 → features (N, D)."""
    features: Tensor
    if isinstance(encoder, FrameEncoder) and pictures.ndim == 3:
        features = encoder.encode_grey(pictures)
    else:
        features = encoder(pictures)
    return features
