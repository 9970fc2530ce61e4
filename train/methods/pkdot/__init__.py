"""Privileged distillation by optimal transport (PKDOT; Aslam et al., FG 2024): a teacher that knows more passes it on.

recipe → data (pairs of features) → model, sinkhorn (transport), loss (structure) → bundle → run
"""

from .loss import pkdot_loss
from .model import HallucinationNetwork, PrivilegedFusion, load_reference
from .sinkhorn import sinkhorn_divergence

__all__ = ["HallucinationNetwork", "PrivilegedFusion", "load_reference", "pkdot_loss", "sinkhorn_divergence"]
