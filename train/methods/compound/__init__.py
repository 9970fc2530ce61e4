"""Compound emotions by features (Richet et al., 2024): LFAN over modalities, one class a video by vote.

recipe → data (features, read or made or drawn) → model, votes → bundle → run
"""

from .model import LFAN
from .votes import RULES, Rule, Videos, video_classes, without_last_class

__all__ = ["LFAN", "RULES", "Rule", "Videos", "video_classes", "without_last_class"]
