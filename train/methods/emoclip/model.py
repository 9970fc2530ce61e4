"""EmoCLIP's temporal transformer: CLIP embeddings of frames become one embedding of a video, comparable with text.

Foteinopoulou & Patras, "EmoCLIP: A Vision-Language Method for Zero-Shot Video Facial Expression Recognition", FG 2024.
A learned class token is put before the frames and looks at all of them; what it has become is the video's embedding.
It is trained against descriptions with `loss.clip_contrastive_loss`; any sentence is then a class.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...models.published import load_renamed
from .loss import contrastive_logits
from .recipe import EmoClipRecipe

_RENAMED = (
    ("cls_token", "class_token"),
    ("pos_embedding", "positions"),
    ("temporal_transformer.layers.", "layers."),
    (".0.fn.norm.", ".attention_norm."),
    (".0.fn.fn.to_qkv.", ".attention.qkv."),
    (".0.fn.fn.to_out.0.", ".attention.project."),
    (".1.fn.norm.", ".feedforward_norm."),
    (".1.fn.fn.net.0.", ".expand."),
    (".1.fn.fn.net.3.", ".contract."),
    ("mlp.", "head."),
)


class TemporalTransformer(nn.Module):
    """Embeddings of frames to the embedding of their video: (B, T, D) → (B, D).

    dim:       D, the width of CLIP's joint space (512 for ViT-B/32)
    depth:     blocks. heads: of each
    head_dim:  width of one head, so attention is `heads * head_dim` wide inside, whatever D is
    mlp_dim:   hidden width of the position-wise network
    positions: length of the learned positional table, class token included
    reference: as published: heads 2048 wide and `mlp_dim` = D, because a constructor got its widths crosswise, and
               token and positions that start from N(0, 1). By default 64, 2048 and N(0, 0.02).
    """

    def __init__(
        self,
        dim: int,
        *,
        depth: int = 2,
        heads: int = 8,
        head_dim: int | None = None,
        mlp_dim: int | None = None,
        positions: int = 1024,
        reference: bool = False,
    ) -> None:
        super().__init__()
        head_dim = head_dim or (2048 if reference else 64)
        mlp_dim = mlp_dim or (dim if reference else 2048)
        self.class_token = nn.Parameter(torch.empty(1, 1, dim))
        self.positions = nn.Parameter(torch.empty(1, positions, dim))
        for parameter in (self.class_token, self.positions):
            nn.init.normal_(parameter, std=1.0 if reference else 0.02)
        self.layers = nn.ModuleList(
            TemporalBlock(dim, heads=heads, head_dim=head_dim, mlp_dim=mlp_dim) for _ in range(depth)
        )

    def tokens(self, frames: Tensor, valid: Tensor | None = None) -> Tensor:
        """The class token and the frames after the last block: (B, T, D) → (B, T + 1, D).

        valid: (B, T) bool, False hides a frame that only pads the batch; the published code attends to padding.

        Raises ValueError if the video is longer than the positional table.
        """
        batch, count = frames.shape[:2]
        if count >= self.positions.shape[1]:
            raise ValueError(f"a video of {count} frames does not fit {self.positions.shape[1]} positions; it needs "
                             "one for the class token too")  # fmt: skip
        h = torch.cat([self.class_token.expand(batch, -1, -1), frames], dim=1) + self.positions[:, : count + 1]
        mask = None if valid is None else F.pad(valid, (1, 0), value=True)[:, None, None, :]  # (B, 1, 1, T + 1)
        for layer in self.layers:
            h = layer(h, mask)
        return h

    def forward(self, frames: Tensor, valid: Tensor | None = None) -> Tensor:
        """The class token at the end, neither projected nor normalised; `valid` as in `tokens`."""
        return self.tokens(frames, valid)[:, 0]


class WideAttention(nn.Module):
    """Multi-head self-attention whose heads have a width of their own: (B, T, D) → (B, T, D).

    As published, the last linear map is left out for a single head of width D.
    """

    def __init__(self, dim: int, *, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * heads * head_dim, bias=False)
        alone = heads == 1 and head_dim == dim
        self.project = nn.Identity() if alone else nn.Linear(heads * head_dim, dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """mask (B, 1, 1, T) bool: False hides a position from all others."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, heads, T, head_dim)
        query, key, value = qkv.unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out: Tensor = self.project(mixed.transpose(1, 2).flatten(2))
        return out


class TemporalBlock(nn.Module):
    """`h = x + attend(norm(x))`, then `h + mlp(norm(h))` with a tanh-approximate GELU: (B, T, D) → (B, T, D)."""

    def __init__(self, dim: int, *, heads: int, head_dim: int, mlp_dim: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = WideAttention(dim, heads=heads, head_dim=head_dim)
        self.feedforward_norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, mlp_dim)
        self.contract = nn.Linear(mlp_dim, dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention, then the position-wise network."""
        h = x + self.attention(self.attention_norm(x), mask)
        hidden = F.gelu(self.expand(self.feedforward_norm(h)), approximate="tanh")
        out: Tensor = h + self.contract(hidden)
        return out


class DownstreamModel(nn.Module):
    """A temporal transformer with a head for a task of its own: (B, T, D) → (B, K) logits or values.

    temporal: the transformer, trained along. outputs: K
    """

    def __init__(self, temporal: TemporalTransformer, outputs: int = 7) -> None:
        super().__init__()
        dim = temporal.positions.shape[2]
        self.temporal = temporal
        self.head = nn.Sequential(nn.Linear(dim, dim // 2), nn.ReLU(), nn.Linear(dim // 2, outputs))

    def forward(self, frames: Tensor, valid: Tensor | None = None) -> Tensor:
        """Read the video's embedding; `valid` as in `TemporalTransformer.tokens`."""
        out: Tensor = self.head(self.temporal(frames, valid))
        return out


class ScaledTransformer(nn.Module):
    """The temporal transformer and the logarithm of the temperature that is learned with it."""

    def __init__(self, temporal: TemporalTransformer, log_scale: float) -> None:
        super().__init__()
        self.temporal = temporal
        self.logit_scale = nn.Parameter(torch.tensor(log_scale))

    def forward(self, frames: Tensor, genuine: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, D), (B, T) bool → embeddings (B, D) and the logarithm of the temperature ()."""
        return self.temporal(frames, genuine), self.logit_scale


def new_transformer(recipe: EmoClipRecipe) -> ScaledTransformer:
    """The transformer of a recipe with random weights."""
    temporal = TemporalTransformer(
        recipe.dim, depth=recipe.depth, heads=recipe.heads, head_dim=recipe.head_dim, mlp_dim=recipe.mlp_dim,
        reference=recipe.reference,
    )  # fmt: skip
    return ScaledTransformer(temporal, recipe.log_scale)


def load_reference(module: TemporalTransformer | DownstreamModel, state: Mapping[str, object]) -> None:
    """Copy the authors' weights into a temporal transformer or downstream model, in place.

    state: the authors' parameter names → arrays or tensors of any floating type. The positional table takes the length
           that it has in `state`.

    Raises ValueError that names the missing, unknown or misshapen parameters; the module is then unchanged.
    """
    load_renamed(module, state, _RENAMED, free_length="positions")


def zero_shot(video: Tensor, class_text: Tensor, logit_scale: Tensor) -> Tensor:
    """Probabilities of M classes that are each one sentence: video (B, D), class_text (M, D) → (B, M), rows sum to 1.

    A compound class may be the mean of the unit embeddings of its parts.
    """
    return contrastive_logits(video, class_text, logit_scale).softmax(dim=1)
