"""The networks of PKDOT: the fusion that teacher and student share in form, and what stands in for the absent modality.

Aslam et al., FG 2024. The teacher fuses a visual vector with a privileged one (physiology, or voice) that exists only
during training. The student gets the privileged vector from a small network that hallucinates it from the visual one.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...models.fusion import CrossAttention, EncoderAxis, StreamEncoder
from ...models.published import load_renamed

_RENAMED = (
    ("visual_encoder.", "visual_encoder.layers.0."),
    ("physiological_encoder.", "privileged_encoder.layers.0."),
    ("cross_attention_v.", "visual_attention."),
    ("cross_attention_p.", "privileged_attention."),
    ("gated_attention.", "gate."),
    ("fc.", "classifier."),
    ("attention.in_proj_", "attention.qkv."),
    ("attention.out_proj.", "attention.project."),
    ("feed_forward.0.", "expand."),
    ("feed_forward.2.", "contract."),
    ("layer_norm1.", "attention_norm."),
    ("layer_norm2.", "feedforward_norm."),
)


class FusedModalities(NamedTuple):
    """logits: (B, K). embedding: (B, D), the joint embedding before the classifier, which is what is distilled."""

    logits: Tensor
    embedding: Tensor


class PrivilegedFusion(nn.Module):
    """Gated cross-attention of two modalities. visual, privileged (B, T, D) → logits (B, K), embedding (B, D).

    Each modality looks at the other; a gate weighs the two views; their mean over the T tokens is the embedding. With a
    single token, as published, the cross-attention has one key and is an affine map.

    dim:          D, a multiple of `heads` (ValueError). classes: K. feedforward: D by default, as published.
    visual_dim, privileged_dim: of the inputs, D by default; another width is mapped to D first
    encoder_axis: "time", the default, attends over a sample's tokens. "batch", the default with `reference`, lets the
                  samples of a batch see one another as in the authors' code: for parity and nothing else.
    """

    def __init__(
        self,
        dim: int = 512,
        classes: int = 2,
        *,
        visual_dim: int | None = None,
        privileged_dim: int | None = None,
        heads: int = 2,
        feedforward: int | None = None,
        encoder_axis: EncoderAxis | None = None,
        reference: bool = False,
    ) -> None:
        super().__init__()
        axis: EncoderAxis = encoder_axis or ("batch" if reference else "time")
        self.project_visual = _projection(visual_dim, dim)
        self.project_privileged = _projection(privileged_dim, dim)
        self.visual_encoder = StreamEncoder(dim, heads=heads, feedforward=feedforward, axis=axis)
        self.privileged_encoder = StreamEncoder(dim, heads=heads, feedforward=feedforward, axis=axis)
        self.visual_attention = CrossAttention(dim, heads=heads)
        self.privileged_attention = CrossAttention(dim, heads=heads)
        self.gate = nn.Linear(2 * dim, 1)
        self.classifier = nn.Linear(dim, classes)

    def forward(self, visual: Tensor, privileged: Tensor) -> FusedModalities:
        """Fuse and classify. Vectors without tokens, (B, D), count as one token."""
        if visual.ndim == 2:
            visual, privileged = visual.unsqueeze(1), privileged.unsqueeze(1)
        v = self.visual_encoder(self.project_visual(visual))
        p = self.privileged_encoder(self.project_privileged(privileged))
        from_visual = self.visual_attention(p, v)  # asked by the privileged stream
        from_privileged = self.privileged_attention(v, p)
        gate = self.gate(torch.cat([from_visual, from_privileged], dim=-1)).sigmoid()
        embedding = (gate * from_visual + (1 - gate) * from_privileged).mean(dim=1)
        return FusedModalities(self.classifier(embedding), embedding)


class HallucinationNetwork(nn.Module):
    """The privileged feature as a function of the visual one. (B, …, D) → (B, …, P).

    dim:       D; the hidden widths are D/2, D/4, D/2, at least 1
    outputs:   P, D by default, as published
    reference: a sigmoid on the output, as in the authors' code, which can only hallucinate features in (0, 1)

    The visual feature is detached: what the student sees is not bent towards what it cannot see. Train it by
    regression on the privileged features; the published script leaves it at its random start.
    """

    def __init__(self, dim: int = 512, *, outputs: int | None = None, reference: bool = False) -> None:
        super().__init__()
        widths = (dim, max(1, dim // 2), max(1, dim // 4), max(1, dim // 2), outputs or dim)
        layers: list[nn.Module] = []
        for inner, outer in pairwise(widths):
            layers += [nn.Linear(inner, outer), nn.ReLU()]
        layers[-1] = nn.Sigmoid() if reference else nn.Identity()
        self.layers = nn.Sequential(*layers)

    def forward(self, visual: Tensor) -> Tensor:
        """Hallucinate; no gradient reaches `visual`."""
        out: Tensor = self.layers(visual.detach())
        return out


def load_reference(module: PrivilegedFusion, state: Mapping[str, object]) -> None:
    """Copy the authors' weights into a fusion, in place.

    state: the authors' parameter names, with or without a wrapper's prefix → arrays or tensors of any floating type

    Raises ValueError that names the missing, unknown or misshapen parameters; the module is then unchanged.
    """
    load_renamed(module, state, _RENAMED)


def _projection(width: int | None, dim: int) -> nn.Module:
    return nn.Identity() if width in (None, dim) else nn.Linear(width or dim, dim)


class Student(nn.Module):
    """The fusion with a hallucinated second modality: visual (B, V) → outputs (B, L), embedding (B, D)."""

    def __init__(self, hallucination: nn.Module, fusion: PrivilegedFusion) -> None:
        super().__init__()
        self.hallucination = hallucination
        self.fusion = fusion

    def forward(self, visual: Tensor) -> tuple[Tensor, Tensor]:
        """See and imagine, then fuse."""
        logits, embedding = self.fusion(visual, self.hallucination(visual))
        return logits, embedding
