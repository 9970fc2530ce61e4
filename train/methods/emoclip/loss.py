"""The contrastive loss of CLIP: each video should be closest to its own description, and each description to its video.

Foteinopoulou & Patras, FG 2024, train EmoCLIP with it on descriptions of single samples. Descriptions that happen to
be equal still count as different.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

UNIT_NORM_EPSILON = 1e-12


def clip_contrastive_loss(video: Tensor, text: Tensor, logit_scale: Tensor, *, reference: bool = False) -> Tensor:
    """Mean of the cross-entropies of both directions: video (B, D), text (B, D) → scalar >= 0.

    Row i of both belong together; the embeddings need not be normalised.

    logit_scale: () logarithm of the factor on the cosines, learned along; ln 100 in released CLIP weights
    reference:   see `contrastive_logits`

    Raises ValueError unless both are (B, D) of one shape.
    """
    if video.ndim != 2 or video.shape != text.shape:
        raise ValueError(
            f"the contrastive loss pairs the rows of videos (B, D) with those of texts (B, D), "
            f"found {tuple(video.shape)} and {tuple(text.shape)}"
        )
    logits = contrastive_logits(video, text, logit_scale, reference=reference)
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def contrastive_logits(video: Tensor, text: Tensor, logit_scale: Tensor, *, reference: bool = False) -> Tensor:
    """Scaled cosines: video (B, D), text (M, D), logit_scale () the logarithm of the scale → (B, M).

    reference: normalise without the epsilon that keeps an embedding of zeros finite.
    """
    eps = 0.0 if reference else UNIT_NORM_EPSILON
    return logit_scale.exp() * F.normalize(video, dim=1, eps=eps) @ F.normalize(text, dim=1, eps=eps).T
