"""Compound emotions by features (Richet et al., 2024): LFAN over modalities, one class a video by vote.

recipe → data (features, read or made or drawn) → model, votes → bundle → run
"""

from .model import LFAN
from .votes import video_classes

__all__ = ["LFAN", "video_classes"]
