"""Lenses: small heads on what the frame encoder of a finished bundle sees, trained on real faces, that add outputs.

recipe → data (maps of the frozen encoder, targets) → model, loss → scores, fit → bundle → run
"""

from .model import MapHead

__all__ = ["MapHead"]
