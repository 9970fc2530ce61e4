"""Which frames of a recording a model sees: windows, clips, their context; and clips drawn by what they have shown."""

from .clip_weights import ClipWeights
from .windows import (
    EvaluationClips,
    context_clips,
    down_sample,
    evaluation_clips,
    evaluation_context,
    random_window,
    wrapped_window,
)

__all__ = [
    "ClipWeights",
    "EvaluationClips",
    "context_clips",
    "down_sample",
    "evaluation_clips",
    "evaluation_context",
    "random_window",
    "wrapped_window",
]
