"""Inflation: a network for pictures becomes one for videos, without new weights.

Each 2D convolution is given taps along time. "average" copies its kernel to every tap, divided by their number, as
published by Ayral et al. 2021; "centre" puts it into the middle tap, so that each frame is seen alone. Pooling never
joins frames: time keeps its length throughout.
"""

import torch
from torch import Tensor, nn

from .recipe import Inflation, TimePadding


def inflate(
    network: nn.Module, *, taps: int = 3, mode: Inflation = "average", time_padding: TimePadding = "zeros"
) -> nn.Module:
    """A new network for (B, C, T, H, W) with the weights of one for (B, C, H, W), activations by activations.

    network:      convolutions and max or average pools in an `nn.Sequential`, nested as you like, with layers between
                  them that treat each value alone (ReLU, dropout)
    taps:         odd number of frames that a 3D kernel spans
    time_padding: what lies beyond the first and last frame. "zeros" is published and lowers activations there;
                  "replicate" repeats the end frames, so a still video gives the picture's activations at all times

    Raises ValueError on an even `taps`, and on a layer whose 3D form is not defined here.
    """
    _check_taps(taps)
    if isinstance(network, nn.Sequential):
        layers = (inflate(layer, taps=taps, mode=mode, time_padding=time_padding) for layer in network)
        return nn.Sequential(*layers)
    if isinstance(network, nn.Conv2d):
        return _inflate_convolution(network, taps, mode, time_padding)
    if isinstance(network, nn.MaxPool2d):
        return nn.MaxPool3d(
            (1, *_pair(network.kernel_size)), stride=(1, *_pair(network.stride)), padding=(0, *_pair(network.padding))
        )
    if isinstance(network, nn.AvgPool2d):
        return nn.AvgPool3d(
            (1, *_pair(network.kernel_size)), stride=(1, *_pair(network.stride)), padding=(0, *_pair(network.padding))
        )
    if isinstance(network, nn.ReLU | nn.Dropout | nn.Identity):
        return network
    raise ValueError(f"no inflation is defined for {type(network).__name__}")


def inflate_weight(weight: Tensor, *, taps: int = 3, mode: Inflation = "average") -> Tensor:
    """A 2D kernel with taps along time: (out, in, h, w) → (out, in, taps, h, w), the sum over the taps kept."""
    _check_taps(taps)
    if mode == "average":
        return weight.unsqueeze(2).expand(-1, -1, taps, -1, -1) / taps
    inflated = weight.new_zeros((*weight.shape[:2], taps, *weight.shape[2:]))
    inflated[:, :, taps // 2] = weight
    return inflated


class _TimePad(nn.Module):
    """Repeats the first and last frame `frames` times: (B, C, T, H, W) → (B, C, T + 2 · frames, H, W)."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def forward(self, video: Tensor) -> Tensor:
        first = video[:, :, :1].expand(-1, -1, self.frames, -1, -1)
        last = video[:, :, -1:].expand(-1, -1, self.frames, -1, -1)
        return torch.cat([first, video, last], dim=2)


def _inflate_convolution(layer: nn.Conv2d, taps: int, mode: Inflation, time_padding: TimePadding) -> nn.Module:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise ValueError("no inflation is defined for a convolution with padding other than a number of zeros")
    beyond = taps // 2
    convolution = nn.Conv3d(
        layer.in_channels,
        layer.out_channels,
        (taps, *_pair(layer.kernel_size)),
        stride=(1, *_pair(layer.stride)),
        padding=(beyond if time_padding == "zeros" else 0, *_pair(layer.padding)),
        dilation=(1, *_pair(layer.dilation)),
        groups=layer.groups,
        bias=layer.bias is not None,
        dtype=layer.weight.dtype,
        device=layer.weight.device,
    )
    with torch.no_grad():
        convolution.weight.copy_(inflate_weight(layer.weight, taps=taps, mode=mode))
        if convolution.bias is not None and layer.bias is not None:
            convolution.bias.copy_(layer.bias)
    return convolution if time_padding == "zeros" else nn.Sequential(_TimePad(beyond), convolution)


def _check_taps(taps: int) -> None:
    if taps < 1 or taps % 2 == 0:
        raise ValueError(f"the taps of a 3D kernel must be odd to stay centred on a frame, found {taps}")


def _pair(size: int | tuple[int, ...]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
