"""The temporal half of a bundle: clip encoder, context attention, and the heads as they are exported."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...bundle.declared import AFFECT
from ...models.relational import ClipEncoder, ContextHead

SMALLEST_SPREAD = 0.01
AFFECT_SPREAD, EMOTION_HEAD = "affect_spread", "emotions"  # names of heads


class AffectModel(nn.Module):
    """Features of frames to valence, arousal, the size of their errors, and emotions.

    dim: D = C; frames: T; past: place of the query clip in its context; emotions: L of the classification head
    heads, layers, feedforward: of the clip encoder
    circumplex: (L, 2), valence and arousal of each emotion
    circumplex_share: of valence and arousal, as answered, that is read from there by the emotions that the model sees.
                Nothing is trained on it: two ways to the same quantity err less together than either does
    """

    circumplex: Tensor

    def __init__(
        self,
        dim: int,
        *,
        frames: int,
        past: int,
        emotions: int,
        heads: int,
        layers: int,
        feedforward: int,
        circumplex: Sequence[Sequence[float]] = (),
        circumplex_share: float = 0.0,
    ) -> None:
        super().__init__()
        self.past = past
        self.circumplex_share = circumplex_share
        self.register_buffer("circumplex", torch.tensor(circumplex), persistent=False)
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
            EMOTION_HEAD: out[:, 4:],
        }

    def answers(self, clip: Tensor, context: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """As `heads`, but what a user is told: emotions are probabilities, and affect takes its share from them."""
        answers = self.heads(clip, context, valid)
        answers[EMOTION_HEAD] = torch.softmax(answers[EMOTION_HEAD], dim=1)
        if self.circumplex_share > 0:
            placed = answers[EMOTION_HEAD] @ self.circumplex
            answers[AFFECT] = torch.lerp(answers[AFFECT], placed, self.circumplex_share)
        return answers


class ExportedHeads(nn.Module):
    """The answers of the heads of these names as a graph: a tuple in their order."""

    def __init__(self, model: AffectModel, names: list[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        """clip (N, C), context (N, K, C), valid (N, K) bool → one (N, L) per name."""
        answers = self.model.answers(clip, context, valid)
        return tuple(answers[name] for name in self.names)
