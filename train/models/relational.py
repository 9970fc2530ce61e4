"""Relational regression with context attention: from frame features to clip vectors, from clip vectors to predictions.

Foteinopoulou & Patras, "Learning from Label Relationships in Human Affect", ACM Multimedia 2022. A clip encoder turns T
frame features into one vector; a context head lets that vector look at the vectors of the clips around it. Widths,
table length, heads and dropout are free; the defaults are the published ones.

Predictions are columns in the order in which a recipe names its outputs. The published models for valence and arousal
give arousal first, then valence; so does a head into which their weights are loaded.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .reference import load_reference
from .transformer import EncoderLayer

__all__ = [
    "ClinicalContextHead",
    "ClinicalHead",
    "ClipEncoder",
    "ContextAttention",
    "ContextFreeHead",
    "ContextHead",
    "load_reference",
]

CLINICAL_SLICES = 4


class ClipEncoder(nn.Module):
    """The neck: a transformer over the frames of a clip, then their mean. (B, T, D) → (B, D).

    heads, layers, feedforward: of the transformer; `dim` must be a multiple of `heads` (ValueError).
    positions:         length of the learned positional table, the longest clip it can encode.
    dropout:           inside the transformer. embedding_dropout: on its input.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 16,
        layers: int = 2,
        feedforward: int = 2048,
        positions: int = 1000,
        dropout: float = 0.1,
        embedding_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.empty(positions, dim))
        nn.init.normal_(self.positions, std=0.02)
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(dim, heads=heads, feedforward=feedforward, dropout=dropout) for _ in range(layers)
        )

    def encode_frames(self, features: Tensor) -> Tensor:
        """The transformer's output, before the residual and the mean: (B, T, D) → (B, T, D).

        Raises ValueError if the clip is longer than the positional table.
        """
        frames = features.shape[1]
        if frames > len(self.positions):
            raise ValueError(f"a clip of {frames} frames does not fit a positional table of {len(self.positions)}")
        h: Tensor = self.embedding_dropout(features + self.positions[:frames])
        for layer in self.layers:
            h = layer(h)
        return h

    def forward(self, features: Tensor) -> Tensor:
        """Add the raw features, without positions, to the transformer's output and average over the frames."""
        return (self.encode_frames(features) + features).mean(dim=1)


class ContextAttention(nn.Module):
    """The non-local block: a clip attends to the clips around it. (B, D), (B, K, D) → (B, D).

    No position enters, so the order of the context does not count.

    reference: multiply the attention's logits by sqrt(D), rounded as in the authors' code, which makes the attention
               almost one-hot. By default they are divided by sqrt(D).
    """

    def __init__(self, dim: int, *, reference: bool = False, dropout: float = 0.2) -> None:
        super().__init__()
        self.scale = _reference_scale(dim) if reference else dim**-0.5
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def weights(self, clip: Tensor, context: Tensor, valid: Tensor | None = None) -> Tensor:
        """How much of each context clip is taken: (B, K), rows sum to 1, exactly 0 where `valid` is False."""
        logits: Tensor = (self.key(context) @ self.query(clip).unsqueeze(-1)).squeeze(-1) * self.scale
        if valid is not None:
            logits = logits.masked_fill(~valid, torch.finfo(logits.dtype).min)
        return logits.softmax(dim=1)

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor | None = None) -> Tensor:
        """Add what the context contributes to the clip. `valid` (B, K) bool: False hides a context clip entirely."""
        if valid is not None:
            # A weight of 0 does not hide NaN or infinity, nor stop their gradients.
            context = context.masked_fill(~valid.unsqueeze(-1), 0.0)
        weights = self.weights(clip, context, valid)
        mixed = (weights.unsqueeze(1) @ self.value(context)).squeeze(1)
        out: Tensor = clip + self.dropout(self.project(F.relu(self.norm(mixed))))
        return out


class SlicedReadout(nn.Module):
    """A hidden layer in equal slices, each read by an output of its own. (B, F) → (B, outputs), one more with `total`.

    slices: of the hidden layer, of `width` features each; the first `outputs` of them are read.
    total:  read one last output from the whole hidden layer.
    """

    def __init__(
        self, features: int, outputs: int, *, slices: int, width: int, dropout: float, total: bool = False
    ) -> None:
        super().__init__()
        if not 1 <= outputs <= slices:
            raise ValueError(f"{outputs} outputs need a slice each, found {slices} slices")
        self.slices = slices
        self.widen = nn.Linear(features, slices * width)
        self.dropout = nn.Dropout(dropout)
        self.parts = nn.ModuleList(nn.Linear(width, 1) for _ in range(outputs))
        self.total = nn.Linear(slices * width, 1) if total else None

    def forward(self, x: Tensor) -> Tensor:
        """Output i is read from slice i; the total comes last."""
        hidden = self.dropout(F.relu(self.widen(x)))
        slices = hidden.unflatten(1, (self.slices, -1)).unbind(1)
        columns = [part(piece) for part, piece in zip(self.parts, slices, strict=False)]
        if self.total is not None:
            columns.append(self.total(hidden))
        return torch.cat(columns, dim=1)


class ContextHead(nn.Module):
    """Regression from a clip and its context. clip (B, D), context (B, K, D) → (B, L).

    The clip is joined with what the context attention makes of it, passed through a ReLU (the published valence and
    arousal head has one here, the clinical head has none), a hidden layer in L slices, and one linear map for each.

    outputs:   L. reference: the attention scale of the authors' code, see `ContextAttention`.
    width:     hidden features of each output; 2 D / L by default, rounded down.
    """

    def __init__(
        self, dim: int, outputs: int, *, reference: bool = False, width: int | None = None, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.attention = ContextAttention(dim, reference=reference, dropout=dropout)
        width = max(1, 2 * dim // outputs) if width is None else width
        self.readout = SlicedReadout(2 * dim, outputs, slices=outputs, width=width, dropout=dropout)

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor | None = None) -> Tensor:
        """Predict the clip. `valid` (B, K) bool: False hides a context clip; each row needs one that is True."""
        joined = torch.cat([clip, self.attention(clip, context, valid)], dim=1)
        out: Tensor = self.readout(F.relu(joined))
        return out


class ContextFreeHead(nn.Module):
    """Regression from a clip alone. (B, D) → (B, L).

    outputs: L. width: hidden features of each output; D / L by default, rounded down.
    """

    def __init__(self, dim: int, outputs: int, *, width: int | None = None, dropout: float = 0.2) -> None:
        super().__init__()
        width = max(1, dim // outputs) if width is None else width
        self.readout = SlicedReadout(dim, outputs, slices=outputs, width=width, dropout=dropout)

    def forward(self, clip: Tensor) -> Tensor:
        """Predict the clip."""
        out: Tensor = self.readout(clip)
        return out


class ClinicalContextHead(nn.Module):
    """Symptom scores and their total from a clip and its context. clip (B, D), context (B, K, D) → (B, symptoms + 1).

    The hidden layer of 2 D features always has four slices (1024 features each at the published D = 2048): three
    symptoms (PANSS: N3, N6, N1) read three of them, four (CAINS) read all; the total, last, is read from the whole.
    D must be even, and `symptoms` at most 4 (ValueError).
    """

    def __init__(self, dim: int, symptoms: int = 3, *, reference: bool = False, dropout: float = 0.2) -> None:
        super().__init__()
        self.attention = ContextAttention(dim, reference=reference, dropout=dropout)
        self.readout = _clinical_readout(2 * dim, symptoms, dropout=dropout)

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor | None = None) -> Tensor:
        """Predict the clip. `valid` (B, K) bool: False hides a context clip; each row needs one that is True."""
        out: Tensor = self.readout(torch.cat([clip, self.attention(clip, context, valid)], dim=1))
        return out


class ClinicalHead(nn.Module):
    """Symptom scores and their total from a clip alone. (B, D) → (B, symptoms + 1), the total last.

    The hidden layer of D features has four slices; D must divide by four, and `symptoms` is at most 4 (ValueError).
    """

    def __init__(self, dim: int, symptoms: int = 3, *, dropout: float = 0.2) -> None:
        super().__init__()
        self.readout = _clinical_readout(dim, symptoms, dropout=dropout)

    def forward(self, clip: Tensor) -> Tensor:
        """Predict the clip."""
        out: Tensor = self.readout(clip)
        return out


def _clinical_readout(features: int, symptoms: int, *, dropout: float) -> SlicedReadout:
    if features % CLINICAL_SLICES:
        raise ValueError(f"a hidden layer of {features} features does not divide into {CLINICAL_SLICES} equal slices")
    width = features // CLINICAL_SLICES
    return SlicedReadout(features, symptoms, slices=CLINICAL_SLICES, width=width, dropout=dropout, total=True)


def _reference_scale(dim: int) -> float:
    """sqrt(D) through the float32 reciprocals of the authors' code, which differ from sqrt(D) in the eighth digit."""
    return torch.tensor(float(dim), dtype=torch.float32).reciprocal().sqrt().reciprocal().item()
