"""One pre-norm transformer encoder layer, written from plain operations so that it exports to ONNX for any engine."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attend(query: Tensor, key: Tensor, value: Tensor, valid: Tensor | None, *, dropout: float = 0.0) -> Tensor:
    """`softmax(query keyᵀ / √d) value`: (B, heads, Q, d), (B, heads, T, d) twice → (B, heads, Q, d).

    In four operations: what torch's own function exports to is three times as many, most of them about shapes.

    valid: (B, T) bool, False for positions that none attends to; each row needs one that is True
    """
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5  # (B, heads, Q, T)
    if valid is not None:
        scores = scores.masked_fill(~valid[:, None, None, :], torch.finfo(scores.dtype).min)
    return F.dropout(scores.softmax(dim=-1), dropout, training=dropout > 0) @ value


class SelfAttention(nn.Module):
    """Multi-head self-attention with biases: (B, T, D) → (B, T, D)."""

    def __init__(self, dim: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"a width of {dim} does not divide into {heads} heads; choose a divisor of {dim}")
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.project = nn.Linear(dim, dim)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Each of the T positions attends to all of them, or to those that are True in `valid` (B, T)."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, T, D / heads)
            for part in self.qkv(x).chunk(3, dim=-1)
        )
        mixed = attend(query, key, value, valid, dropout=self.dropout if self.training else 0.0)
        out: Tensor = self.project(mixed.transpose(1, 2).flatten(2))
        return out


class EncoderLayer(nn.Module):
    """`h = x + attend(norm(x))`, then `h + feedforward(norm(h))`: (B, T, D) → (B, T, D)."""

    def __init__(self, dim: int, *, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads=heads, dropout=dropout)
        self.feedforward_norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, feedforward)
        self.contract = nn.Linear(feedforward, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Attention, then the position-wise network, each with dropout on its way into the residual sum."""
        h = x + self.dropout(self.attention(self.attention_norm(x)))
        hidden = self.dropout(F.relu(self.expand(self.feedforward_norm(h))))
        out: Tensor = h + self.dropout(self.contract(hidden))
        return out
