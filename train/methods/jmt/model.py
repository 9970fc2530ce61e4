"""The joint multimodal transformer: valence and arousal over time from synchronised vectors of face and voice.

Waligora et al., "Joint Multimodal Transformer for Emotion Recognition in the Wild", CVPR Workshops 2024. A joint stream
is made of both modalities; all ordered pairs of the three streams look at one another over time, and the six results of
each moment are fused. A step of time is a sub-clip of about one second. No position enters, so a ring buffer needs no
re-ordering and a stream that has just begun is simply shorter.
"""

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...models.fusion import CrossAttention, EncoderAxis, StreamEncoder, TokenFusion
from ...models.published import load_renamed
from .recipe import Joint

FcLayout = Literal["batch_first", "sequence_first"]

# The published "none" fusion builds a gate that it never uses.
_UNUSED = "gated_attention."
_RENAMED = (
    ("mm_transformer.fc.", "fusion."),
    ("mm_transformer.", "fusion."),
    ("final_visual_encoder.", "output.encoder."),
    ("final_self_attention.", "output.attention."),
    ("physiological_encoder.", "audio_encoder."),
    ("joint_representation_encoder.", "joint_encoder."),
    ("cross_attention_v.", "visual_attention."),
    ("cross_attention_p.", "audio_attention."),
    ("cross_attention_pv.", "joint_attention."),
    ("out_layer_pv.", "join."),
    ("out_layer1.", "output."),
    ("final_layer.", "output."),
    ("vregressor.", "regressors.0."),
    ("aregressor.", "regressors.1."),
    ("attention.in_proj_", "attention.qkv."),
    ("attention.out_proj.", "attention.project."),
    ("feed_forward.0.", "expand."),
    ("feed_forward.2.", "contract."),
    ("layer_norm1.", "attention_norm."),
    ("layer_norm2.", "feedforward_norm."),
)


class JointMultimodalTransformer(nn.Module):
    """Predictions of every step from both modalities. visual (B, S, Dv), audio (B, S, Da) → (B, S, outputs).

    dim:          D of the fusion. outputs: L; with the published weights (valence, arousal). Unbounded.
    visual_dim, audio_dim: Dv and Da, D by default; another width is mapped to D after normalisation
    heads, layers, feedforward: of every encoder and attention; feedforward is D by default, as published
    hidden:       of each output's regressor, D / 4 by default, as published. dropout: in the regressors
    joint:        "self_attention" fuses the six results of a step by a transformer, "fc" by one linear map to 2 D;
                  "none" has no joint stream; "concat" is the baseline, one linear map of both modalities
    token_pooling: of "self_attention": keep the "last" of the six tokens, as published, or their "mean"
    positions:    "sinusoidal" adds the time to both modalities; published is "none"
    encoder_axis: of "none": what its encoders attend over, "time" by default
    fc_layout:    of "fc": "batch_first" by default; "sequence_first" returns (S, B, L)
    reference:    the authors' code: makes "batch" and "sequence_first" the defaults of the two above

    Raises ValueError if D does not divide into `heads`.
    """

    def __init__(
        self,
        dim: int = 512,
        outputs: int = 2,
        *,
        visual_dim: int | None = None,
        audio_dim: int | None = None,
        heads: int = 1,
        layers: int = 1,
        feedforward: int | None = None,
        hidden: int | None = None,
        dropout: float = 0.0,
        joint: Joint = "self_attention",
        token_pooling: Literal["last", "mean"] = "last",
        positions: Literal["none", "sinusoidal"] = "none",
        encoder_axis: EncoderAxis | None = None,
        fc_layout: FcLayout | None = None,
        reference: bool = False,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.positions = positions
        self.project_visual = nn.Identity() if visual_dim in (None, dim) else nn.Linear(visual_dim or dim, dim)
        self.project_audio = nn.Identity() if audio_dim in (None, dim) else nn.Linear(audio_dim or dim, dim)
        self.fusion: nn.Module
        if joint == "concat":
            self.fusion = nn.Linear(2 * dim, dim)
        elif joint == "none":
            axis: EncoderAxis = encoder_axis or ("batch" if reference else "time")
            self.fusion = PairFusion(dim, heads=heads, layers=layers, feedforward=feedforward, axis=axis)
        else:
            output = (
                TokenFusion(dim, heads=heads, layers=layers, feedforward=feedforward, pooling=token_pooling)
                if joint == "self_attention"
                else nn.Linear(6 * dim, 2 * dim)
            )
            self.fusion = JointFusion(dim, output, heads=heads, layers=layers, feedforward=feedforward)
        layout = fc_layout or ("sequence_first" if reference else "batch_first")
        self.sequence_first = joint == "fc" and layout == "sequence_first"
        width = 2 * dim if joint == "fc" else dim
        hidden = max(1, dim // 4) if hidden is None else hidden
        self.regressors = nn.ModuleList(_regressor(width, hidden, dropout) for _ in range(outputs))

    def fuse(
        self,
        visual: Tensor,
        audio: Tensor,
        heard: Tensor | None = None,
        valid: Tensor | None = None,
        seen: Tensor | None = None,
    ) -> Tensor:
        """The vector of every step from which the outputs are read: (B, S, D), with "fc" (B, S, 2 D).

        heard: (B, S) bool, False where there is no sound, whatever `audio` holds there. The visual vector takes its
               place, so that the joint stream sees the face twice.
        valid: (B, S) bool, False for steps that no other looks at, as before the beginning of a recording. The others
               come out as if those were not there; each row needs one that is True.
        seen:  (B, S) bool, False where the face was hidden, whatever `visual` holds there: the counterpart of `heard`,
               whose audio vector takes its place. Where neither is there, the step holds nothing.
        """
        if heard is not None:
            audio = audio.masked_fill(~heard.unsqueeze(-1), 0.0)
        if seen is not None:
            visual = visual.masked_fill(~seen.unsqueeze(-1), 0.0)
        v, a = self.project_visual(F.normalize(visual, dim=-1)), self.project_audio(F.normalize(audio, dim=-1))
        face, voice = v, a
        if heard is not None:
            a = torch.where(heard.unsqueeze(-1), voice, face)
        if seen is not None:
            v = torch.where(seen.unsqueeze(-1), face, voice)
        if valid is not None:
            # A weight of 0 does not hide NaN or infinity.
            v, a = (stream.masked_fill(~valid.unsqueeze(-1), 0.0) for stream in (v, a))
        if self.positions == "sinusoidal":
            times = sinusoids(v.shape[1], self.dim).to(v)
            v, a = v + times, a + times
        if isinstance(self.fusion, nn.Linear):
            fused: Tensor = self.fusion(torch.cat([v, a], dim=-1))
        else:
            fused = self.fusion(v, a, valid)
        return fused.transpose(0, 1) if self.sequence_first else fused

    def forward(
        self,
        visual: Tensor,
        audio: Tensor,
        heard: Tensor | None = None,
        valid: Tensor | None = None,
        seen: Tensor | None = None,
    ) -> Tensor:
        """Predict every step; see `fuse` for `heard`, `valid` and `seen`."""
        fused = self.fuse(visual, audio, heard, valid, seen)
        return torch.cat([regressor(fused) for regressor in self.regressors], dim=-1)


class JointFusion(nn.Module):
    """Face, voice and their joint stream, each encoded, each looking at the two others. (B, S, D) twice → (B, S, …).

    output: makes one vector of the six of a step: a `TokenFusion`, or a linear map of all six side by side.
    """

    def __init__(self, dim: int, output: nn.Module, *, heads: int, layers: int, feedforward: int | None) -> None:
        super().__init__()
        self.join = nn.Linear(2 * dim, dim)
        self.visual_encoder = StreamEncoder(dim, heads=heads, layers=layers, feedforward=feedforward)
        self.audio_encoder = StreamEncoder(dim, heads=heads, layers=layers, feedforward=feedforward)
        self.joint_encoder = StreamEncoder(dim, heads=heads, layers=layers, feedforward=feedforward)
        self.visual_attention = CrossAttention(dim, heads=heads)
        self.audio_attention = CrossAttention(dim, heads=heads)
        self.joint_attention = CrossAttention(dim, heads=heads)
        self.output = output

    def forward(self, visual: Tensor, audio: Tensor, valid: Tensor | None = None) -> Tensor:
        """Fuse; the stream that asks decides which attention is used. `valid` (B, S) hides the steps that are False."""
        j = self.joint_encoder(self.join(torch.cat([visual, audio], dim=-1)), valid)
        v, a = self.visual_encoder(visual, valid), self.audio_encoder(audio, valid)
        by_face = self.visual_attention.to_each(v, (a, j), valid)
        by_voice = self.audio_attention.to_each(a, (v, j), valid)
        by_joint = self.joint_attention.to_each(j, (v, a), valid)
        seen = (by_face[0], by_voice[0], by_joint[0], by_face[1], by_joint[1], by_voice[1])  # as published
        six = torch.stack(seen, dim=2)  # (B, S, 6, D)
        out: Tensor = self.output(six if isinstance(self.output, TokenFusion) else six.flatten(2))
        return out


class PairFusion(nn.Module):
    """Face and voice, each encoded, each looking at the other, without a joint stream. (B, S, D) twice → (B, S, D)."""

    def __init__(self, dim: int, *, heads: int, layers: int, feedforward: int | None, axis: EncoderAxis) -> None:
        super().__init__()
        self.visual_encoder = StreamEncoder(dim, heads=heads, layers=layers, feedforward=feedforward, axis=axis)
        self.audio_encoder = StreamEncoder(dim, heads=heads, layers=layers, feedforward=feedforward, axis=axis)
        self.visual_attention = CrossAttention(dim, heads=heads)
        self.audio_attention = CrossAttention(dim, heads=heads)
        self.output = nn.Linear(2 * dim, dim)

    def forward(self, visual: Tensor, audio: Tensor, valid: Tensor | None = None) -> Tensor:
        """Fuse every step. `valid` (B, S) hides the steps that are False."""
        v, a = self.visual_encoder(visual, valid), self.audio_encoder(audio, valid)
        both = [self.visual_attention(v, a, valid), self.audio_attention(a, v, valid)]
        out: Tensor = self.output(torch.cat(both, dim=-1))
        return out


class IntraModalTransformer(nn.Module):
    """Two vectors of one modality, as of two backbones, become one. (B, S, D1), (B, S, D2) → (B, S, D).

    first_dim, second_dim: D1 and D2, D by default; another width is mapped to D first
    heads, layers, feedforward, pooling: of `TokenFusion`
    """

    def __init__(
        self,
        dim: int = 512,
        *,
        first_dim: int | None = None,
        second_dim: int | None = None,
        heads: int = 1,
        layers: int = 1,
        feedforward: int | None = None,
        pooling: Literal["last", "mean"] = "last",
    ) -> None:
        super().__init__()
        self.project_first = nn.Identity() if first_dim in (None, dim) else nn.Linear(first_dim or dim, dim)
        self.project_second = nn.Identity() if second_dim in (None, dim) else nn.Linear(second_dim or dim, dim)
        self.output = TokenFusion(dim, heads=heads, layers=layers, feedforward=feedforward, pooling=pooling)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse every step by itself."""
        tokens = torch.stack([self.project_first(first), self.project_second(second)], dim=2)
        out: Tensor = self.output(tokens)
        return out


def load_reference(module: JointMultimodalTransformer | IntraModalTransformer, state: Mapping[str, object]) -> None:
    """Copy the authors' weights into a fusion of the same mode and sizes, in place.

    state: the authors' parameter names, with or without a wrapper's prefix → arrays or tensors of any floating type

    Raises ValueError that names the missing, unknown or misshapen parameters; the module is then unchanged.
    """
    used = {name: value for name, value in state.items() if _UNUSED not in name}
    load_renamed(module, used, _RENAMED)


def sinusoids(steps: int, dim: int) -> Tensor:
    """The time of every step as sines and cosines of falling frequency: (S, D) float32 in [-1, 1]."""
    frequencies = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    angles = torch.arange(steps).unsqueeze(1) * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :dim]


def _regressor(dim: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1))
