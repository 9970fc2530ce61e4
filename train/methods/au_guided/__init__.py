"""Guidance by action units (Belharbi et al., FG 2024): attention that lies where the units of an expression are.

recipe → data (faces with landmarks), regions (heat maps) → model, spatial (maps), loss → bundle → run
"""

from ...data.drawn_faces import EXPRESSIONS
from .loss import au_alignment_loss
from .regions import heatmap

__all__ = ["EXPRESSIONS", "au_alignment_loss", "heatmap"]
