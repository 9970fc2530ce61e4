"""Temporal softmax pooling: clips that speak for a class count more for that class.

Ayral, Pedersoli, Bacon & Granger, "Temporal Stochastic Softmax for 3D CNNs", WACV 2021. Scores of frames become scores
of all clips of F consecutive frames; each class then averages its clip scores with weights that are a softmax over
time of the same scores. `train.data.sampling` draws training clips from the same distribution.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PooledScores(NamedTuple):
    """A video's class scores and what they were pooled from.

    log_probs: (B, K) log-softmax over the classes of the pooled scores
    clips:     (B, K, n) the scores of the n clips before pooling
    """

    log_probs: Tensor
    clips: Tensor


class SoftmaxPooling(nn.Module):
    """Class scores of frames to class probabilities of a video. (B, K, L) → (B, K) log-probabilities, (B, K, n) scores.

    frames: F, length of a clip; a video of L frames has n = max(1, L - F + 1) clips
    beta:   inverse temperature; 0 averages over the clips, 1 is published, a large one takes the best clip of a class

    The weights differ from class to class: that is the method. Do not pool signed quantities such as valence with
    weights from themselves, the result leans to the positive end; use `softmax_pool` with other evidence.

    Raises ValueError if `frames` is below 1 or `beta` is negative.
    """

    def __init__(self, frames: int = 16, *, beta: float = 1.0) -> None:
        super().__init__()
        if frames < 1 or beta < 0:
            raise ValueError(f"softmax pooling needs frames >= 1 and beta >= 0, found {frames} and {beta}")
        self.frames = frames
        self.beta = beta

    def forward(self, frame_scores: Tensor) -> PooledScores:
        """Pool the scores of L frames, any L; a video shorter than a clip is one clip."""
        clips = clip_scores(frame_scores, self.frames)
        pooled = softmax_pool(clips, clips, beta=self.beta)
        return PooledScores(F.log_softmax(pooled, dim=1), clips)


class FrameClassifier(nn.Module):
    """The published head of each frame, Linear, ReLU, Linear: features (B, C, L) → scores (B, K, L).

    features: C. classes: K. hidden: width between. Parameters carry the authors' names.
    """

    def __init__(self, features: int, classes: int, *, hidden: int = 128) -> None:
        super().__init__()
        self.preclassifier = nn.Linear(features, hidden)
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Each frame by itself."""
        scores: Tensor = self.classifier(F.relu(self.preclassifier(features.transpose(1, 2))))
        return scores.transpose(1, 2)


def clip_scores(frame_scores: Tensor, frames: int) -> Tensor:
    """A clip's score is the largest of its frames: (B, K, L) → (B, K, max(1, L - frames + 1)), one clip a start."""
    return F.max_pool1d(frame_scores, min(frames, frame_scores.shape[2]), stride=1)


def softmax_pool(values: Tensor, evidence: Tensor, *, beta: float, valid: Tensor | None = None) -> Tensor:
    """Average over time, weighted with `pooling_weights` of the evidence: (B, K, n), (B, K or 1, n) → (B, K)."""
    return (values * pooling_weights(evidence, beta=beta, valid=valid)).sum(dim=2)


def pooling_weights(evidence: Tensor, *, beta: float, valid: Tensor | None = None) -> Tensor:
    """How much each clip counts: (B, K, n) → the same, each row along n sums to 1.

    valid: (B, n) bool, False where there is no clip, which then counts for nothing; one of each row must be True
    """
    logits = beta * evidence
    if valid is not None:
        logits = logits.masked_fill(~valid.unsqueeze(1), torch.finfo(logits.dtype).min)
    return logits.softmax(dim=2)
