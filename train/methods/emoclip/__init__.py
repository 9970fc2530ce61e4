"""EmoCLIP (Foteinopoulou & Patras, FG 2024): CLIP's frames become a video's embedding, and sentences become classes.

recipe → clip_towers, drawn_clip (CLIP), data (frames, descriptions) → loss, model, windows, scores → sentences, bundle
→ weights, run; beside it evaluate (a run on other data), prompts (other classes), downstream (a task of one's own)
"""

from .loss import clip_contrastive_loss
from .model import TemporalTransformer

__all__ = ["TemporalTransformer", "clip_contrastive_loss"]
