"""The parameter names of the published relational-regression code, and their places in our modules.

Only names are translated, so weights of any size fit a module that was built with the same sizes.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

# The data-parallel wrapper of the authors' training script; the prefix of weights in our numeric fixtures.
_WRAPPERS = ("module.", "param.")
_RENAMED = (
    ("pos_emb.weight", "positions"),
    ("transformer.layers.", "layers."),
    ("self_attn.in_proj_", "attention.qkv."),
    ("self_attn.out_proj.", "attention.project."),
    ("linear1.", "expand."),
    ("linear2.", "contract."),
    ("norm1.", "attention_norm."),
    ("norm2.", "feedforward_norm."),
    ("nlb.theta.", "attention.query."),
    ("nlb.phi.", "attention.key."),
    ("nlb.gi.", "attention.value."),
    ("nlb.ln.", "attention.norm."),
    ("nlb.fc.", "attention.project."),
    ("fc_nlb.", "readout.widen."),
    ("fc_total.", "readout.total."),
    ("fc1.", "readout.parts.0."),
    ("fc2.", "readout.parts.1."),
    ("fc3.", "readout.parts.2."),
    ("fc4.", "readout.parts.3."),
)


def load_reference(module: nn.Module, state: Mapping[str, object]) -> None:
    """Copy the authors' weights into a clip encoder or head of `train.models.relational`, in place.

    state: the authors' parameter names → arrays or tensors of any floating type; 1x1 convolutions (D, D, 1) become
           linear maps. The positional table takes the length that it has in `state`.

    Raises ValueError that names the missing, unknown or misshapen parameters; the module is then unchanged.
    """
    renamed = {_our_name(name): torch.as_tensor(value) for name, value in state.items()}
    ours = module.state_dict()
    missing, unknown = sorted(ours.keys() - renamed.keys()), sorted(renamed.keys() - ours.keys())
    if missing or unknown:
        raise ValueError(f"weights do not belong to {type(module).__name__}: missing {missing}, unknown {unknown}")
    loaded = {name: _like_ours(name, value, ours[name]) for name, value in renamed.items()}
    if "positions" in loaded:
        module.positions = nn.Parameter(loaded["positions"])
    module.load_state_dict(loaded)


def _our_name(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.removeprefix(wrapper)
    for theirs, ours in _RENAMED:
        name = name.replace(theirs, ours)
    return name


def _like_ours(name: str, value: Tensor, ours: Tensor) -> Tensor:
    """The value with our type, device and, but for the length of the positional table, shape."""
    if value.ndim == 3 and value.shape[2] == 1:
        value = value.squeeze(2)
    found, expected = tuple(value.shape), tuple(ours.shape)
    fits = found[1:] == expected[1:] if name == "positions" else found == expected
    if not fits:
        raise ValueError(f"{name}: the weights have shape {found}, the module expects {expected}")
    return value.to(dtype=ours.dtype, device=ours.device, copy=True)
