"""Features that a backbone computed beforehand, with their labels: one safetensors file for each part of a data set.

Methods that learn on top of frozen backbones read these. A file holds named tensors whose first axes agree, so that row
i of each belongs to the same sample.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..errors import DataError


def load_features(root: Path | None, part: str, expected: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors of `<root>/<part>.safetensors`: floating ones as float32, whole numbers as int64.

    expected: name → its axes, a letter each, as "NSD"; a letter stands for the same size wherever it occurs. A second
              word, as in "N int" or "N bool", names the kind of number; without it they are floating.

    Raises DataError if the file or a tensor is missing, or has other axes or another kind.
    """
    if root is None:
        raise DataError(f"this recipe needs --data: the folder that holds {part}.safetensors")
    path = root / f"{part}.safetensors"
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    sizes: dict[str, int] = {}
    found = {}
    for name, description in expected.items():
        if name not in tensors:
            raise DataError(f"{path}: has no tensor '{name}'; expected {', '.join(expected)}")
        axes, _, kind = description.partition(" ")
        try:
            _check_axes(tensors[name], axes, sizes)
            found[name] = _of_kind(tensors[name], kind)
        except ValueError as error:
            raise DataError(f"{path}: '{name}' {error}") from error
    return found


def _check_axes(tensor: Tensor, axes: str, sizes: dict[str, int]) -> None:
    """Raise ValueError if the shape does not fit; note the sizes of axes that are met for the first time."""
    shape = tuple(tensor.shape)
    known = [sizes.get(axis, size) for axis, size in zip(axes, shape, strict=False)]
    if len(shape) != len(axes) or list(shape) != known:
        raise ValueError(f"has shape {shape}, expected axes ({', '.join(axes)}) with {sizes}")
    sizes.update(zip(axes, shape, strict=True))


def _of_kind(tensor: Tensor, kind: str) -> Tensor:
    if kind == "bool" and tensor.dtype == torch.bool:
        return tensor
    if kind == "int" and not tensor.is_floating_point() and tensor.dtype != torch.bool:
        return tensor.long()
    if not kind and tensor.is_floating_point():
        return tensor.float()
    raise ValueError(f"is {tensor.dtype}, expected {kind or 'floating'} numbers")
