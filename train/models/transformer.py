"""One pre-norm transformer encoder layer, written from plain operations so that it exports to ONNX for any engine."""

import torch.nn.functional as F
from torch import Tensor, nn


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
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, heads, T, D / heads)
        query, key, value = qkv.unbind(0)
        dropout = self.dropout if self.training else 0.0
        mask = None if valid is None else valid[:, None, None, :]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
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
