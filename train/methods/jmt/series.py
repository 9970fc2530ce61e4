"""Series of a video's predictions, smoothed and scored as the joint multimodal transformer's are.

Waligora et al., CVPR Workshops 2024, for Aff-Wild2: a step is a sub-clip of 32 frames, whose prediction belongs to its
last frame; the series of a video is smoothed before all videos are scored together.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...audiovisual.steps import INVALID_LABEL
from ...data.labelled_clips import AFFECT_LABELS

SMOOTHED_FRAMES = {"valence": 20, "arousal": 50}


def smoothed_scores(pred: Tensor, labels: Tensor, series: Sequence[Tensor], *, every: int) -> dict[str, float]:
    """The concordance of valence and of arousal after smoothing: pred and labels (M, 2) of all steps.

    series: of each video the rows of its steps, in order of time
    every:  frames from one step to the next, so that the published windows cover the same time
    """
    scores = {}
    truth = torch.cat([labels[rows] for rows in series])
    for i, name in enumerate(AFFECT_LABELS):
        window = max(1, SMOOTHED_FRAMES[name] // every)
        smoothed = torch.cat([smooth(pred[rows, i], window) for rows in series])
        scores[f"ccc_{name}_smoothed"] = float(series_ccc(smoothed, truth[:, i]))
    return scores


def smooth(series: Tensor, window: int) -> Tensor:
    """Clip to [-1, 1] and average over time: (…, N) → (…, N). Beyond the ends the series counts as 0.

    window: frames averaged over; an even one covers window / 2 before the frame and window / 2 - 1 after. It looks
            ahead: for recorded series only.

    Raises ValueError if `window` is below 1.
    """
    if window < 1:
        raise ValueError(f"a moving average needs a window of at least 1 frame, found {window}")
    before = window // 2
    return F.pad(series.clamp(-1, 1), (before, window - 1 - before)).unfold(-1, window, 1).mean(dim=-1)


def series_ccc(pred: Tensor, target: Tensor, *, predicted: Tensor | None = None, reference: bool = False) -> Tensor:
    """Concordance of all frames of all videos, population moments, nothing added: (N,), (N,) → scalar in [-1, 1].

    predicted: (N,) bool, False for frames that no sub-clip ends at
    reference: score frames without prediction or label as 0 against 0, as the authors' code does, which raises the
               coefficient of a video that is not neutral on average. By default they are left out.

    NaN if both series are the same constant. Raises ValueError on unequal shapes or no frame to score.
    """
    if pred.shape != target.shape or pred.ndim != 1:
        raise ValueError(f"needs two series of one length, found {tuple(pred.shape)} and {tuple(target.shape)}")
    scored = target != INVALID_LABEL
    if predicted is not None:
        scored = scored & predicted
    if reference:
        a, b = pred.masked_fill(~scored, 0.0), target.masked_fill(~scored, 0.0)
    else:
        a, b = pred[scored], target[scored]
    if not len(a):
        raise ValueError("no frame has both a prediction and a label")
    covariance = ((a - a.mean()) * (b - b.mean())).mean()
    return 2 * covariance / (a.var(correction=0) + b.var(correction=0) + (a.mean() - b.mean()).square())
