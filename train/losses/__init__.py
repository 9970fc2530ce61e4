"""The training losses, one concept a file."""

from .au_alignment import au_alignment_loss
from .ccc import ccc_loss
from .contrastive import clip_contrastive_loss
from .correlation import concordance, pearson
from .jmt import jmt_ccc_loss
from .pkdot import pkdot_loss
from .relational import pairwise_similarity, relational_loss
from .sinkhorn import sinkhorn_divergence

__all__ = [
    "au_alignment_loss",
    "ccc_loss",
    "clip_contrastive_loss",
    "concordance",
    "jmt_ccc_loss",
    "pairwise_similarity",
    "pearson",
    "pkdot_loss",
    "relational_loss",
    "sinkhorn_divergence",
]
