"""What the joint multimodal transformer does around its network: frames of a sub-clip, series of a video, its score.

Waligora et al., CVPR Workshops 2024, for Aff-Wild2: a step is a sub-clip of 32 frames, thinned to 8; the prediction of
a step belongs to its last frame; the series of a video is smoothed before it is scored.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...audiovisual.steps import INVALID_LABEL

VALENCE_WINDOW = 20  # frames
AROUSAL_WINDOW = 50


def smooth(series: Tensor, window: int) -> Tensor:
    """Clip to [-1, 1] and average over time: (…, N) → (…, N). Beyond the ends the series counts as 0.

    window: frames averaged over; an even one covers window / 2 before the frame and window / 2 - 1 after. It looks
            ahead: for recorded series only.

    Raises ValueError if `window` is below 1.
    """
    _check_window(window)
    before = window // 2
    return _mean_over(F.pad(series.clamp(-1, 1), (before, window - 1 - before)), window)


def smooth_causal(series: Tensor, window: int) -> Tensor:
    """As `smooth`, over the present and earlier frames alone, at the start over those there are: (…, N) → (…, N)."""
    _check_window(window)
    clipped = series.clamp(-1, 1)
    sums = _mean_over(F.pad(clipped, (window - 1, 0)), window) * window
    counts = torch.arange(1, series.shape[-1] + 1, device=series.device).clamp_max(window)
    return sums / counts


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


def _mean_over(padded: Tensor, window: int) -> Tensor:
    return padded.unfold(-1, window, 1).mean(dim=-1)


def _check_window(window: int) -> None:
    if window < 1:
        raise ValueError(f"a moving average needs a window of at least 1 frame, found {window}")
