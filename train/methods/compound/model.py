"""The feature-based model for compound emotions: causal convolutions per modality, then attention across modalities.

Richet et al., "Textualized and Feature-based Models for Compound Multimodal Emotion Recognition in the Wild", ECCV
Workshops 2024, after the leader-follower fusion of Zhang et al. Sequences of features, one for each modality and frame
by frame in step, become class logits of every frame. Nothing looks ahead, so the model can follow a live stream.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...models.published import load_renamed

INPUTS: Mapping[str, int] = MappingProxyType({"video": 512, "vggish": 128, "bert": 768})
CHANNELS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"video": (256, 256, 128, 128), "vggish": (64, 64, 32, 32), "bert": (256, 256, 128, 128)}
)
_RENAMED = (
    (".weight_g", ".scale"),
    (".weight_v", ".direction"),
    (".conv1.", ".first."),
    (".conv2.", ".second."),
    (".downsample.", ".shortcut."),
    (".network.", ".blocks."),
    ("bn.", "norms."),
    ("fusion.layers.self_attn.qkv_proj.", "fusion.encode."),
    ("fusion.layers.self_attn.o_proj.", "fusion.project."),
    ("fusion.layers.norm1.", "fusion.norm."),
    ("regressor.", "head."),
)
# The authors keep each convolution under a second name within its block.
_ALIAS = ".net."


class LFAN(nn.Module):
    """Sequences of features to logits of each frame: {modality: (B, T, C_m)} → (B, T, K).

    inputs:    C_m of each modality; their order is that of the fusion, and the first one leads: its features also
               reach the head directly
    channels:  widths of each modality's temporal blocks; block i has dilation 2^i
    classes:   K. modal_dim: width of a modality in the fusion, a multiple of `heads` (ValueError)
    kernel:    taps of the convolutions. dropout: after each of them and after the fusion
    """

    def __init__(
        self,
        inputs: Mapping[str, int] = INPUTS,
        channels: Mapping[str, Sequence[int]] = CHANNELS,
        *,
        classes: int = 7,
        modal_dim: int = 32,
        heads: int = 2,
        kernel: int = 5,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if inputs.keys() != channels.keys() or not inputs:
            raise ValueError(f"every modality needs channels, found inputs {list(inputs)}, channels {list(channels)}")
        self.modalities = tuple(inputs)
        widths = {name: channels[name][-1] for name in inputs}
        self.temporal = nn.ModuleDict(
            {name: TemporalConvolution(inputs[name], channels[name], kernel=kernel, dropout=dropout) for name in inputs}
        )
        self.norms = nn.ModuleDict({name: nn.BatchNorm1d(width) for name, width in widths.items()})
        self.fusion = ModalityFusion(widths, modal_dim=modal_dim, heads=heads, dropout=dropout)
        self.head = nn.Linear(widths[self.modalities[0]] + modal_dim * len(widths), classes)

    @property
    def receptive_field(self) -> int:
        """Frames that a frame's logits depend on, itself among them: 121 as published."""
        return 1 + max(_past(temporal) for temporal in self.temporal.values())

    @property
    def widths(self) -> dict[str, int]:
        """How wide each modality is once it is encoded."""
        return {name: len(norm.get_parameter("bias")) for name, norm in self.norms.items()}

    def encode(self, sequences: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each modality by itself: {modality: (B, T, C_m)} → {modality: (B, T, width of its last block)}."""
        return {name: self.encode_modality(name, sequences[name]) for name in self.modalities}

    def encode_modality(self, name: str, sequence: Tensor) -> Tensor:
        """One of them: (B, T, C_m) → (B, T, width of its last block)."""
        encoded: Tensor = self.norms[name](self.temporal[name](sequence.transpose(1, 2)))
        return encoded.transpose(1, 2)

    def fuse(self, encoded: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Classify each frame by what `encode` gave. present: (B, T, M) bool, see `ModalityFusion`."""
        leader = encoded[self.modalities[0]]
        if present is not None:
            leader = leader.masked_fill(~present[:, :, :1], 0.0)
        out: Tensor = self.head(torch.cat([leader, self.fusion(encoded, present)], dim=2))
        return out

    def forward(self, sequences: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """Classify each frame. present: (B, T, M) bool, False where a modality is absent, see `ModalityFusion`."""
        return self.fuse(self.encode(sequences), present)


class TemporalConvolution(nn.Module):
    """Dilated causal blocks: (B, C, T) → (B, last of `channels`, T).

    A frame sees itself and 2 (kernel - 1) (2^blocks - 1) frames before it.
    """

    def __init__(self, inputs: int, channels: Sequence[int], *, kernel: int, dropout: float) -> None:
        super().__init__()
        widths = [inputs, *channels]
        self.blocks = nn.Sequential(
            *(
                TemporalBlock(widths[index], width, kernel=kernel, dilation=2**index, dropout=dropout)
                for index, width in enumerate(channels)
            )
        )

    def forward(self, sequence: Tensor) -> Tensor:
        """All frames at once."""
        out: Tensor = self.blocks(sequence)
        return out


class TemporalBlock(nn.Module):
    """Two causal convolutions beside a shortcut: (B, C, T) → (B, C', T)."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.first = CausalConvolution(inputs, outputs, kernel=kernel, dilation=dilation)
        self.second = CausalConvolution(outputs, outputs, kernel=kernel, dilation=dilation)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, sequence: Tensor) -> Tensor:
        """Leaky ReLU after each convolution and after the sum."""
        h = self.dropout(F.leaky_relu(self.first(sequence)))
        h = self.dropout(F.leaky_relu(self.second(h)))
        return F.leaky_relu(h + self.shortcut(sequence))


class CausalConvolution(nn.Module):
    """A weight-normalised convolution that looks back only: (B, C, T) → (B, C', T).

    The kernel of an output is `scale · direction / |direction|`, direction (C', C, kernel), scale (C', 1, 1).
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int, dilation: int) -> None:
        super().__init__()
        start = nn.Conv1d(inputs, outputs, kernel)
        self.direction = nn.Parameter(start.weight.detach().clone())
        self.scale = nn.Parameter(_norm(self.direction.detach()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.dilation = dilation
        self.past = (kernel - 1) * dilation

    def forward(self, sequence: Tensor) -> Tensor:
        """What lies before the first frame is zero."""
        weight = self.scale * self.direction / _norm(self.direction)
        return F.conv1d(F.pad(sequence, (self.past, 0)), weight, self.bias, dilation=self.dilation)


class ModalityFusion(nn.Module):
    """Attention over the M modalities of one frame: {modality: (B, T, width)} → (B, T, M · modal_dim).

    widths: of the modalities, in the order of the fusion. The attended values are added to a modality's own.
    """

    def __init__(self, widths: Mapping[str, int], *, modal_dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        if modal_dim % heads:
            raise ValueError(f"a width of {modal_dim} does not divide into {heads} heads")
        fused = modal_dim * len(widths)
        self.modalities = tuple(widths)
        self.heads = heads
        self.encode = nn.ModuleDict({name: nn.Linear(width, 3 * modal_dim) for name, width in widths.items()})
        self.project = nn.Linear(fused, fused)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(fused)

    def forward(self, encoded: Mapping[str, Tensor], present: Tensor | None = None) -> Tensor:
        """present: (B, T, M) bool; what an absent modality contains reaches nothing."""
        # As published, query, key and value are cut inside each head: (B, T, heads, M, 3 · head_dim).
        parts = [self.encode[name](encoded[name]).unflatten(-1, (self.heads, -1)) for name in self.modalities]
        joined = torch.stack(parts, dim=3)
        if present is not None:
            joined = joined.masked_fill(~present[:, :, None, :, None], 0.0)
        query, key, value = joined.chunk(3, dim=-1)
        logits = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5  # (B, T, heads, M, M)
        if present is not None:
            logits = logits.masked_fill(~present[:, :, None, None, :], torch.finfo(logits.dtype).min)
        mixed = logits.softmax(dim=-1) @ value + value
        # The order (head, modality, head_dim) is that of the published weights.
        out: Tensor = self.norm(self.dropout(self.project(mixed.flatten(2))))
        return out


def load_reference(module: LFAN, state: Mapping[str, object]) -> None:
    """Copy the authors' weights into the model, in place.

    state: the authors' parameter names → arrays or tensors of any floating type.

    Raises ValueError that names the missing, unknown or misshapen parameters; the module is then unchanged.
    """
    load_renamed(module, {name: value for name, value in state.items() if _ALIAS not in name}, _RENAMED)


def _past(temporal: nn.Module) -> int:
    """Frames before it that a frame sees through all convolutions."""
    return sum(part.past for part in temporal.modules() if isinstance(part, CausalConvolution))


def _norm(direction: Tensor) -> Tensor:
    """(C', C, kernel) → (C', 1, 1)."""
    norm: Tensor = torch.linalg.vector_norm(direction, dim=(1, 2), keepdim=True)
    return norm
