"""Clips and their context as rows of indices, so that features are stored once and sampled as the stream samples them.

The indices come from the runtime's own `ClipBuffer`, which is fed row numbers in place of features: what training sees
is what streaming sees, by construction.
"""

from dataclasses import dataclass

import numpy as np

from streamaffect.affect.clips import ClipBuffer
from streamaffect.runtime.manifest import ClipSpec, ContextSpec
from streamaffect.types import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class ClipIndex:
    """M clips over N frames.

    samples: (M, T) int64, the frames of each clip, oldest first
    context: (M, K) int64, the clips of each clip's context, as rows of `samples`
    valid:   (M, K) bool, False where a clip of the context is missing
    """

    samples: np.ndarray
    context: np.ndarray
    valid: BoolArray

    def __len__(self) -> int:
        return len(self.samples)


def index_sequence(time_s: np.ndarray, clip: ClipSpec, context: ContextSpec) -> ClipIndex:
    """The clips that end at each frame of one sequence; time_s (N,) increasing seconds → N clips."""
    buffer = ClipBuffer(clip, context, feature_dim=1, clip_dim=1)
    count = len(time_s)
    samples = np.empty((count, clip.frames), np.int64)
    neighbours = np.empty((count, context.clips), np.int64)
    valid = np.empty((count, context.clips), np.bool_)
    for row, end_s in enumerate(time_s.tolist()):
        number: FloatArray = np.array([row], np.float32)
        buffer.push(time_s=end_s, feature=number)
        samples[row] = buffer.clip(end_s=end_s).features[:, 0]
        buffer.push_clip(end_s=end_s, vector=number)
        view = buffer.context(end_s=end_s)
        neighbours[row], valid[row] = view.clips[:, 0], view.valid
    return ClipIndex(samples, neighbours, valid)


def index_stills(count: int, clip: ClipSpec, context: ContextSpec) -> ClipIndex:
    """Each of `count` pictures as a clip of equal frames that has no context but itself."""
    rows = np.arange(count)[:, None]
    valid = np.zeros((count, context.clips), np.bool_)
    valid[:, context.past] = True
    return ClipIndex(np.repeat(rows, clip.frames, axis=1), np.repeat(rows, context.clips, axis=1), valid)


def join(parts: list[ClipIndex]) -> ClipIndex:
    """Several indices over features that are stored one after the other; every part has as many clips as frames."""
    starts = np.cumsum([0, *(len(part) for part in parts)])[:-1].tolist()
    return ClipIndex(
        np.concatenate([part.samples + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.context + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.valid for part in parts]),
    )
