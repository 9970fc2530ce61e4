"""Turn a published PyTorch checkpoint into safetensors, without ever running code from the file.

Training and export read safetensors alone. A `.pt`, `.pth` or `.pth.tar` file is a pickle and can carry code;
it is opened here only, with PyTorch's weights-only reader, which refuses everything but tensors and plain containers.

    python -m train convert fold.pth.tar fold.safetensors
"""

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from streamaffect.errors import ConfigError

DATA_PARALLEL = "module."


def convert_checkpoint(source: Path, target: Path) -> list[str]:
    """Write every tensor of `source` to `target` (safetensors) and return their names, sorted.

    Nested dictionaries become dotted names (`neck.pos_emb.weight`); the data-parallel prefix `module.` is dropped;
    numbers beside the weights, such as an epoch, are left out. `target` is written in one piece or not at all.

    Raises ConfigError if `source` is missing, holds anything but weights, or no weights at all.
    """
    tensors = dict(_named_tensors(_read_weights(source)))
    if not tensors:
        raise ConfigError(f"{source}: holds no tensors; expected a checkpoint of model weights")
    partial = target.with_name(f"{target.name}.partial")
    save_file(tensors, partial, metadata={"source": source.name})
    partial.replace(target)
    return sorted(tensors)


def _read_weights(source: Path) -> object:
    try:
        return torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"{source}: no such file; give the path of a .pt, .pth or .pth.tar checkpoint") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ConfigError(
            f"{source}: is no checkpoint of plain weights (anything but tensors and containers is refused); "
            f"save its state_dict and convert that"
        ) from error


def _named_tensors(value: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in nested dictionaries with their dotted names, each with a storage of its own for safetensors."""
    if isinstance(value, Tensor):
        yield name, value.detach().clone().contiguous()
    elif isinstance(value, Mapping):
        for key, child in value.items():
            inner = str(key).removeprefix(DATA_PARALLEL)
            yield from _named_tensors(child, f"{name}.{inner}" if name else inner)
