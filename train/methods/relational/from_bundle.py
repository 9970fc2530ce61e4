"""The small frame encoder of a bundle as a module that can be trained on.

Export folds every batch normalisation into the convolution before it. Here it is unfolded again: the statistics are
those of the pictures that training goes on with, and scale and shift are chosen such that the network computes what it
did.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.manifest import FRAME_ENCODER

from ...errors import TrainingError
from ...models.frame_encoder import ConvNorm, FrameEncoder

FOLDED_BIAS = "weight_bias"  # what the exporter calls the bias of a convolution that had none


def load_exported_encoder(bundle: Path, encoder: FrameEncoder, pictures: Tensor) -> None:
    """Fill `encoder` with the weights of a bundle that `train export` has written.

    pictures: (N, S, S) uint8 grey, some hundred of those that training goes on with

    Raises:
        BundleError: the folder is no sound bundle.
        TrainingError: its frame encoder is of another shape.
    """
    import onnx
    from onnx import numpy_helper

    file = bundle / load_bundle(bundle).manifest.graphs[FRAME_ENCODER].file
    initialisers = {one.name: numpy_helper.to_array(one) for one in onnx.load(file).graph.initializer}
    tensors = {name: torch.from_numpy(array.copy()) for name, array in initialisers.items()}
    layers = {name: layer for name, layer in encoder.named_modules() if isinstance(layer, ConvNorm)}
    try:
        state = {name: tensors[name] for name in encoder.state_dict() if _is_kept(name, layers)}
        biases = {name: tensors[f"{name}.0.{FOLDED_BIAS}"] for name in layers}
        encoder.load_state_dict(encoder.state_dict() | state)
        _unfold(encoder, {layers[name]: bias for name, bias in biases.items()}, pictures)
    except (KeyError, RuntimeError) as error:
        raise TrainingError(f"{file}: is no frame encoder of this dim, widths and depths ({error})") from error


def _is_kept(name: str, layers: dict[str, ConvNorm]) -> bool:
    """False for the tensors of normalisations, which no bundle has."""
    return not any(name.startswith(f"{layer}.1.") for layer in layers)


@torch.no_grad()
def _unfold(encoder: FrameEncoder, biases: dict[ConvNorm, Tensor], pictures: Tensor) -> None:
    """Give each normalisation the statistics of its input, and undo them by its scale and shift."""

    def measured(norm: nn.BatchNorm2d, bias: Tensor, maps: Tensor) -> None:
        mean, variance = maps.mean(dim=(0, 2, 3)), maps.var(dim=(0, 2, 3), correction=0)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(bias + mean)

    hooks = []
    for layer, bias in biases.items():
        norm = layer[1]
        assert isinstance(norm, nn.BatchNorm2d)
        if norm.bias.shape != bias.shape:
            raise RuntimeError(f"{tuple(bias.shape)} channels instead of {tuple(norm.bias.shape)}")
        hooks.append(norm.register_forward_pre_hook(lambda norm, inputs, bias=bias: measured(norm, bias, inputs[0])))
    encoder.eval().encode_grey(pictures)
    for hook in hooks:
        hook.remove()
