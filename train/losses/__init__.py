"""The training losses, one concept a file."""

from .ccc import ccc_loss
from .contrastive import clip_contrastive_loss
from .correlation import concordance, pearson
from .relational import pairwise_similarity, relational_loss

__all__ = ["ccc_loss", "clip_contrastive_loss", "concordance", "pairwise_similarity", "pearson", "relational_loss"]
