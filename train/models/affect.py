"""The temporal half of a bundle: clip encoder, context attention, and the heads as they are exported."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .relational import ClipEncoder, ContextHead

SMALLEST_SPREAD = 0.01
AFFECT, AFFECT_SPREAD, EMOTIONS = "affect", "affect_spread", "emotions"


class AffectModel(nn.Module):
    """Features of frames to valence, arousal, the size of their errors, and emotions.

    dim: D = C; frames: T; past: place of the query clip in its context; emotions: L of the classification head
    heads, layers, feedforward: of the clip encoder
    """

    def __init__(
        self, dim: int, *, frames: int, past: int, emotions: int, heads: int, layers: int, feedforward: int
    ) -> None:
        super().__init__()
        self.past = past
        self.clip_encoder = ClipEncoder(dim, heads=heads, layers=layers, feedforward=feedforward, positions=frames)
        self.context_head = ContextHead(dim, 4 + emotions, width=2 * dim // (4 + emotions))

    def forward(self, features: Tensor, context: Tensor, valid: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Encode each clip once, then look at it as often as a context asks for it.

        features (M, T, D); context (N, K) int64 rows of `features`; valid (N, K) bool → the query's clip vector (N, C),
        and one (N, L) per head.
        """
        clips = self.clip_encoder(features)[context]  # (N, K, C)
        query = clips[:, self.past]
        return query, self.heads(query, clips, valid)

    def heads(self, clip: Tensor, context: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """clip (N, C), context (N, K, C), valid (N, K) bool → one (N, L) per head; emotions are logits."""
        out = self.context_head(clip, context, valid)
        return {
            AFFECT: out[:, :2],
            AFFECT_SPREAD: F.softplus(out[:, 2:4]) + SMALLEST_SPREAD,
            EMOTIONS: out[:, 4:],
        }


class ExportedHeads(nn.Module):
    """The heads of these names as a graph: a tuple in their order, with probabilities in place of logits."""

    def __init__(self, model: AffectModel, names: list[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        """clip (N, C), context (N, K, C), valid (N, K) bool → one (N, L) per name."""
        heads = self.model.heads(clip, context, valid)
        heads[EMOTIONS] = torch.softmax(heads[EMOTIONS], dim=1)
        return tuple(heads[name] for name in self.names)
