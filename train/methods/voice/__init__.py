"""Arousal from the prosody of a voice, for ears that know neither the speaker nor how loud the speech arrives.

recipe → data (windows of speech, described; drawn voices) → model → bundle (the folder of a voice model) → run
"""

from .model import ProsodyRegression

__all__ = ["ProsodyRegression"]
