"""Post-norm encoders and cross-attention between streams: what PKDOT's and JMT's fusions are built from.

Written from plain operations so that a fusion exports to ONNX for any engine. No module knows positions.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .transformer import SelfAttention, attend

EncoderAxis = Literal["time", "batch"]


class CrossAttention(nn.Module):
    """Multi-head attention of one stream to another, with biases. (B, Q, D), (B, T, D) → (B, Q, D).

    dim must be a multiple of `heads` (ValueError).
    """

    def __init__(self, dim: int, *, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"a width of {dim} does not divide into {heads} heads; choose a divisor of {dim}")
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.project = nn.Linear(dim, dim)

    def forward(self, query: Tensor, memory: Tensor, valid: Tensor | None = None) -> Tensor:
        """Each of the Q positions attends to all T of `memory`, or to those that are True in `valid` (B, T)."""
        return self.to_each(query, (memory,), valid)[0]

    def to_each(self, query: Tensor, memories: Sequence[Tensor], valid: Tensor | None = None) -> tuple[Tensor, ...]:
        """Of M memories of one shape, each attended to by itself, in one pass over M times the batch: M (B, Q, D)."""
        weight, bias, dim, count = self.qkv.weight, self.qkv.bias, query.shape[-1], len(memories)
        key, value = F.linear(torch.cat(list(memories)), weight[dim:], bias[dim:]).chunk(2, dim=-1)  # (M · B, T, D)
        mixed = attend(
            self._split(F.linear(query, weight[:dim], bias[:dim])).repeat(count, 1, 1, 1),
            self._split(key),
            self._split(value),
            None if valid is None else valid.repeat(count, 1),
        )
        out: Tensor = self.project(mixed.transpose(1, 2).flatten(2))
        return tuple(out.view(count, *query.shape).unbind(0))

    def _split(self, x: Tensor) -> Tensor:
        """(B, T, D) → (B, heads, T, D / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class PostNormLayer(nn.Module):
    """`h = norm(x + attend(x))`, then `norm(h + feedforward(h))`: (B, T, D) → (B, T, D)."""

    def __init__(self, dim: int, *, heads: int, feedforward: int) -> None:
        super().__init__()
        self.attention = SelfAttention(dim, heads=heads, dropout=0.0)
        self.attention_norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, feedforward)
        self.contract = nn.Linear(feedforward, dim)
        self.feedforward_norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Attention, among the positions that are True in `valid` (B, T) if given, then the position-wise network."""
        h = self.attention_norm(x + self.attention(x, valid))
        out: Tensor = self.feedforward_norm(h + self.contract(F.relu(self.expand(h))))
        return out


class StreamEncoder(nn.Module):
    """A stack of post-norm layers over one stream. (B, T, D) → (B, T, D).

    feedforward: width between, D by default
    axis:        what attends to what. "time" is meant; with "batch" the samples of a batch attend to one another, step
                 by step, as in the authors' code that forgets to transpose: never for inference.
    """

    def __init__(
        self, dim: int, *, heads: int, layers: int = 1, feedforward: int | None = None, axis: EncoderAxis = "time"
    ) -> None:
        super().__init__()
        self.axis = axis
        feedforward = dim if feedforward is None else feedforward
        self.layers = nn.ModuleList(PostNormLayer(dim, heads=heads, feedforward=feedforward) for _ in range(layers))

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Encode every position; none attends to those that are False in `valid` (B, T).

        Raises ValueError for `valid` with the axis "batch".
        """
        if valid is not None and self.axis == "batch":
            raise ValueError("positions can be hidden where time is attended to, not across a batch")
        h = x.transpose(0, 1) if self.axis == "batch" else x
        for layer in self.layers:
            h = layer(h, valid)
        return h.transpose(0, 1) if self.axis == "batch" else h


class TokenFusion(nn.Module):
    """Several vectors of one moment become one: an encoder and self-attention over them. (…, n, D) → (…, D).

    pooling: "last" keeps the last token, as published; "mean" averages over them.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 1,
        layers: int = 1,
        feedforward: int | None = None,
        pooling: Literal["last", "mean"] = "last",
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.encoder = StreamEncoder(dim, heads=heads, layers=layers, feedforward=feedforward)
        self.attention = SelfAttention(dim, heads=heads, dropout=0.0)

    def forward(self, tokens: Tensor) -> Tensor:
        """Fuse the n tokens of every leading position."""
        moments = tokens.flatten(0, -3)  # (M, n, D)
        mixed = self.attention(self.encoder(moments))
        fused: Tensor = mixed[:, -1] if self.pooling == "last" else mixed.mean(dim=1)
        return fused.reshape(*tokens.shape[:-2], -1)
