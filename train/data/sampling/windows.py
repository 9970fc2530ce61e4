"""Which frames of a video make a training window or an evaluation clip, and which clips make a context.

Everything is index arithmetic. The published procedure of Foteinopoulou & Patras 2022 (AMIGOS) draws training windows
that wrap around the end of a video; evaluation cuts the whole video into clips. Where the published procedure differs
from what we do by default, `reference=True` chooses it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IndexArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EvaluationClips:
    """A video cut into M clips of T frames.

    frames:  (M, T) frame numbers, oldest first; the end of the last clip repeats the last frame
    genuine: (M, T) bool, False where a frame is such a repetition
    """

    frames: IndexArray
    genuine: BoolArray


def down_sample(count: int, factor: int) -> IndexArray:
    """Keep the first of `count` frames and each `factor`-th after it."""
    return np.arange(0, count, factor)


def wrapped_window(count: int, size: int, start: int) -> IndexArray:
    """The (size,) frame numbers of a window from `start` in a video of `count` frames.

    Past the end it goes on from the beginning, once; what is still missing mirrors what was taken so far, without
    repeating its last frame. Raises ValueError unless 0 <= start < count.
    """
    if not 0 <= start < count:
        raise ValueError(f"a window must start in the video's {count} frames, found start {start}")
    taken = np.arange(start, min(start + size, count))
    wrapped = np.arange(min(size - len(taken), count))
    window = np.concatenate([taken, wrapped])
    return np.pad(window, (0, size - len(window)), "reflect")


def random_window(count: int, size: int, generator: np.random.Generator) -> IndexArray:
    """A wrapped window whose start is uniform over all frames."""
    return wrapped_window(count, size, int(generator.integers(count)))


def context_clips(window: IndexArray, frames: int) -> IndexArray:
    """Cut a training window of K·T frames into its K context clips: (K·T,) → (K, T), oldest first.

    With K odd, clip K // 2 is the query. Raises ValueError if the window is no multiple of `frames` = T.
    """
    if len(window) % frames:
        raise ValueError(f"a window of {len(window)} frames does not divide into clips of {frames}")
    return window.reshape(-1, frames)


def evaluation_clips(count: int, frames: int) -> EvaluationClips:
    """Cut all `count` frames of a video into consecutive clips of T = `frames`, none left out.

    The published code fills the last clip with zero pictures and lets it count like the others; a caller that wants
    this replaces the frames that are not genuine. Raises ValueError for a video without frames.
    """
    if count < 1:
        raise ValueError("a video without frames has no clips")
    clips = -(-count // frames)
    wanted = np.arange(clips * frames).reshape(clips, frames)
    return EvaluationClips(frames=np.minimum(wanted, count - 1), genuine=wanted < count)


def evaluation_context(clips: int, window: int, *, reference: bool = False) -> IndexArray:
    """The context of each of M clips: (M, 2·window + 1) clip numbers.

    By default oldest first, the first and last clip repeated at the ends of the video. reference: newest first, and
    circular over the video, so that the end of a video is part of the context of its beginning.
    """
    offsets = np.arange(-window, window + 1)
    own = np.arange(clips)[:, np.newaxis]
    context: IndexArray = (own - offsets) % clips if reference else np.clip(own + offsets, 0, clips - 1)
    return context
