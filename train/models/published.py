"""Copying published weights into modules of ours, whose parameters have other names.

Only names are translated, so weights of any size fit a module that was built with the same sizes.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

# The data-parallel wrapper of the authors' training scripts; the prefix of weights in our numeric fixtures.
_WRAPPERS = ("module.", "param.")


def load_renamed(
    module: nn.Module,
    state: Mapping[str, object],
    renamed: Sequence[tuple[str, str]],
    *,
    free_length: str | None = None,
) -> None:
    """Copy `state` into the module, in place.

    state:       the authors' parameter names → arrays or tensors of any floating type; a 1x1 convolution (D, D, 1)
                 becomes a linear map where ours is one
    renamed:     their part of a name → ours, applied one after the other
    free_length: last part of the name of the parameters that take the length (last axis but one) they have in `state`

    Raises ValueError that names the missing, unknown or misshapen parameters; the module is then unchanged.
    """
    translated = {_our_name(name, renamed): torch.as_tensor(value) for name, value in state.items()}
    ours = module.state_dict()
    missing, unknown = sorted(ours.keys() - translated.keys()), sorted(translated.keys() - ours.keys())
    if missing or unknown:
        raise ValueError(f"weights do not belong to {type(module).__name__}: missing {missing}, unknown {unknown}")
    free = {name for name in ours if name.rpartition(".")[2] == free_length}
    loaded = {name: _like_ours(name, value, ours[name], name in free) for name, value in translated.items()}
    for name in free:
        owner, _, last = name.rpartition(".")
        setattr(module.get_submodule(owner), last, nn.Parameter(loaded[name]))
    module.load_state_dict(loaded)


def _our_name(name: str, renamed: Sequence[tuple[str, str]]) -> str:
    for wrapper in _WRAPPERS:
        name = name.removeprefix(wrapper)
    for theirs, ours in renamed:
        name = name.replace(theirs, ours)
    return name


def _like_ours(name: str, value: Tensor, ours: Tensor, has_free_length: bool) -> Tensor:  # noqa: FBT001
    """The value with our type, device and, but for a free length, shape."""
    if value.ndim == ours.ndim + 1 and value.shape[-1] == 1:
        value = value.squeeze(-1)
    found, expected = list(value.shape), list(ours.shape)
    if has_free_length and len(found) == len(expected):
        expected[-2] = found[-2]
    if found != expected:
        raise ValueError(f"{name}: the weights have shape {tuple(found)}, the module expects {tuple(ours.shape)}")
    return value.to(dtype=ours.dtype, device=ours.device, copy=True)
