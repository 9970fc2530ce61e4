"""Relational regression with context attention (Foteinopoulou & Patras, ACM Multimedia 2022): the default model.

recipe → data/ (corpus, its sources, drawn faces) → model, encoders, from_bundle → frame_stage, features, clip_stage
→ calibrate, scores, evaluate → bundle → run; protocol/ repeats published evaluations, fold by fold
"""

from ...models.relational import ClipEncoder, ContextHead, load_reference

__all__ = ["ClipEncoder", "ContextHead", "load_reference"]
