"""The parameter names of the published relational-regression code, and their places in our modules."""

from collections.abc import Mapping

from torch import nn

from .published import load_renamed

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
    load_renamed(module, state, _RENAMED, free_length="positions")
