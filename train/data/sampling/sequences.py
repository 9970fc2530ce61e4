"""Which frames of a recording a model sees in training and in evaluation, by the published protocol.

Foteinopoulou & Patras 2022: of 25 frames a second every 8th is kept; clips have T = 16 of these, and a context of w = 2
clips on either side. Training draws one window of T · (2w + 1) frames around a query clip; evaluation cuts the whole
recording into clips and averages their predictions.
"""

from dataclasses import dataclass

import msgspec
import numpy as np

from .windows import (
    BoolArray,
    IndexArray,
    context_clips,
    evaluation_clips,
    evaluation_context,
    random_window,
    wrapped_window,
)


class SequenceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """frames: T; window: w; every: keep one of so many frames; reference: evaluate with the published wrap-around."""

    frames: int = 16
    window: int = 2
    every: int = 8
    reference: bool = False

    @property
    def clips(self) -> int:
        """K, clips of a context, the query among them."""
        return 2 * self.window + 1


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A recording cut into M clips.

    frames:  (M, T) numbers of the kept frames, oldest first
    genuine: (M, T) bool, False where the last frame is repeated to fill the last clip
    context: (M, K) clip numbers
    """

    frames: IndexArray
    genuine: BoolArray
    context: IndexArray


def training_sequence(count: int, config: SequenceConfig, generator: np.random.Generator) -> IndexArray:
    """(K, T) frame numbers of one random window over `count` kept frames; clip K // 2 is the query."""
    return context_clips(random_window(count, config.frames * config.clips, generator), config.frames)


def sequence_from(count: int, config: SequenceConfig, start: int) -> IndexArray:
    """(K, T) frame numbers of the window that begins at `start`, which must be one of the `count` kept frames."""
    return context_clips(wrapped_window(count, config.frames * config.clips, start), config.frames)


def evaluation_sequence(count: int, config: SequenceConfig) -> Evaluation:
    """All clips of a recording of `count` kept frames, each with its context."""
    clips = evaluation_clips(count, config.frames)
    context = evaluation_context(len(clips.frames), config.window, reference=config.reference)
    return Evaluation(clips.frames, clips.genuine, context)
