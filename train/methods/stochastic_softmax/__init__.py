"""Temporal stochastic softmax (Ayral et al., WACV 2021): clips drawn and pooled where a video shows its class.

recipe → data → inflation, pooling, model, task → bundle → run
"""

from ...data.sampling.clip_weights import ClipWeights
from .pooling import SoftmaxPooling

__all__ = ["ClipWeights", "SoftmaxPooling"]
