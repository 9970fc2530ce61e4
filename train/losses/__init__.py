"""The losses that several methods share, one concept a file."""

from .ccc import ccc_loss
from .relational import pairwise_similarity, relational_loss

__all__ = ["ccc_loss", "pairwise_similarity", "relational_loss"]
