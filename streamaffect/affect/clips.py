"""The rolling buffer of context clips.

A clip is T features, one each `period_s` seconds, ending at time t (Foteinopoulou & Patras 2022, section 3); its
context is the clips that end whole clip lengths before and after it. Each feature and each clip vector is computed
once: everything here is bookkeeping of time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamaffect.runtime.engine import RowEngine
from streamaffect.runtime.manifest import ClipSpec, ContextSpec
from streamaffect.types import BoolArray, TimeArray, VectorArray

IndexArray = npt.NDArray[np.intp]

# Container timestamps are rounded to milliseconds at worst; comparisons of times forgive far less than that.
TIME_EPSILON_S = 1e-6


@dataclass(frozen=True, slots=True)
class ClipView:
    """The clip that ends at `end_s`, ready for the clip encoder.

    features: (T, D) float32, oldest first; (T, 1) rows where a `RowEngine` keeps them
    genuine:  (T,) bool, False where a hole was filled with another feature
    """

    end_s: float
    features: VectorArray
    genuine: BoolArray

    @property
    def coverage(self) -> float:
        """Share of genuine samples in [0, 1]."""
        return float(np.count_nonzero(self.genuine)) / len(self.genuine)


@dataclass(frozen=True, slots=True)
class ContextView:
    """The clip vectors around the clip that ends at `end_s`, ready for the context head.

    clips: (K, C) float32, or (K, 1) rows, oldest first; the query clip stands at index `past`
    valid: (K,) bool, False where a clip is missing and the oldest one stands in for it
    """

    end_s: float
    clips: VectorArray
    valid: BoolArray

    @property
    def fill(self) -> float:
        """Share of real clips in [0, 1]."""
        return float(np.count_nonzero(self.valid)) / len(self.valid)


class TimedRing:
    """Vectors with strictly increasing times, of which only the last `keep_s` seconds stay.

    Rows live in one array that is compacted when its end is reached, so that the kept part is always contiguous and
    sorted: looking up times is one binary search.

    free: called with what is no longer kept, (n, width)
    """

    def __init__(
        self,
        width: int,
        keep_s: float,
        *,
        dtype: npt.DTypeLike = np.float32,
        free: Callable[[VectorArray], None] | None = None,
    ) -> None:
        self._keep_s = keep_s
        self._free = free
        self._times: TimeArray = np.empty(64, np.float64)
        self._vectors: VectorArray = np.empty((64, width), dtype)
        self._start = self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def times(self) -> TimeArray:
        """(n,) seconds, oldest first; a view."""
        return self._times[self._start : self._end]

    @property
    def vectors(self) -> VectorArray:
        """(n, width), oldest first; a view."""
        return self._vectors[self._start : self._end]

    def push(self, time_s: float, vector: VectorArray) -> None:
        """Append; raises ValueError where time does not increase."""
        last_s = self._times[self._end - 1] if len(self) else -np.inf
        if not time_s > last_s:  # NaN is not
            raise ValueError(f"time must increase: {time_s} s after {last_s} s")
        self._drop(int(self.times.searchsorted(time_s - self._keep_s - TIME_EPSILON_S)))
        if self._end == len(self._times):
            self._make_room()
        self._times[self._end] = time_s
        self._vectors[self._end] = vector
        self._end += 1

    def clear(self) -> None:
        """Forget everything."""
        self._drop(len(self))
        self._start = self._end = 0

    def nearest(self, wanted: TimeArray) -> IndexArray:
        """(m,) seconds → (m,) index of the nearest row; of two equally near ones the earlier."""
        times = self.times
        if len(times) == 1:
            return np.zeros(len(wanted), np.intp)
        later = np.minimum(np.maximum(times.searchsorted(wanted), 1), len(times) - 1)
        earlier = later - 1
        prefers_earlier = wanted - times[earlier] <= times[later] - wanted + TIME_EPSILON_S
        return np.where(prefers_earlier, earlier, later)

    def latest_before(self, wanted: TimeArray) -> IndexArray:
        """(m,) seconds → (m,) index of the latest row that is not later; the first row where there is none."""
        return np.maximum(self.times.searchsorted(wanted + TIME_EPSILON_S, side="right") - 1, 0)

    def _drop(self, count: int) -> None:
        """Let go of the oldest ones."""
        if count and self._free is not None:
            self._free(self.vectors[:count])
        self._start += count

    def _make_room(self) -> None:
        kept = len(self)
        if kept > len(self._times) // 2:
            times = np.empty(2 * len(self._times), np.float64)
            vectors = np.empty((len(times), self._vectors.shape[1]), self._vectors.dtype)
        else:
            times, vectors = self._times, self._vectors
        times[:kept], vectors[:kept] = self.times.copy(), self.vectors.copy()
        self._times, self._vectors = times, vectors
        self._start, self._end = 0, kept


class ClipBuffer:
    """The features and clip vectors of one track.

    clip, context: the bundle's geometry
    feature_dim, clip_dim: D and C
    owner: the engine that keeps features and clip vectors, if one does: then their rows are kept here in their stead,
           and each is handed back to it as soon as no later clip or context can need it
    """

    def __init__(
        self, clip: ClipSpec, context: ContextSpec, *, feature_dim: int, clip_dim: int, owner: RowEngine | None = None
    ) -> None:
        self._period_s = clip.period_s
        self._length_s = clip.length_s
        # Each clip stands for the time around its end, so that low frame rates have a context too.
        self._clip_tolerance_s = clip.length_s / 2
        self._past = context.past
        # Ages of the clip's samples and of the context's clips, oldest first; future clips have a negative age.
        self._sample_ages: TimeArray = np.arange(clip.frames - 1, -1, -1, dtype=np.float64) * clip.period_s
        self._clip_ages: TimeArray = np.arange(context.past, -context.future - 1, -1, dtype=np.float64) * clip.length_s
        # A hole may need one sample from before the clip. A clip may be refined up to one clip late, after a gap, and
        # then looks back over its whole past.
        features_s = 2 * clip.length_s
        clips_s = context.clips * clip.length_s + self._clip_tolerance_s
        if owner is None:
            self._features, self._clips = TimedRing(feature_dim, features_s), TimedRing(clip_dim, clips_s)
        else:
            self._features = TimedRing(1, features_s, dtype=np.int64, free=owner.free_features)
            self._clips = TimedRing(1, clips_s, dtype=np.int64, free=owner.free_clips)
        self._first_s: float | None = None

    @property
    def is_empty(self) -> bool:
        """True before the first feature."""
        return len(self._features) == 0

    def push(self, *, time_s: float, feature: VectorArray) -> bool:
        """Add the feature (D,) of a frame; True where the track starts anew, after a gap longer than one clip.

        Raises ValueError where time does not increase.
        """
        starts_anew = not self.is_empty and time_s - self._features.times[-1] > self._length_s + TIME_EPSILON_S
        if starts_anew:
            self.reset()
        self._features.push(time_s, feature)
        if self._first_s is None:
            self._first_s = time_s
        return starts_anew

    def clip(self, *, end_s: float) -> ClipView:
        """The clip that ends at `end_s`: for each sample the nearest feature within half a period.

        A hole is filled with the nearest earlier feature, before the track's start with its first one. Raises
        LookupError on an empty buffer.
        """
        if self.is_empty:
            raise LookupError("no feature was pushed yet")
        wanted = end_s - self._sample_ages
        nearest = self._features.nearest(wanted)
        genuine = np.abs(self._features.times[nearest] - wanted) <= self._period_s / 2 + TIME_EPSILON_S
        chosen = nearest if genuine.all() else np.where(genuine, nearest, self._features.latest_before(wanted))
        return ClipView(end_s, self._features.vectors[chosen], genuine)

    def push_clip(self, *, end_s: float, vector: VectorArray) -> None:
        """Keep the encoded clip (C,) that ends at `end_s`. Raises ValueError where time does not increase."""
        self._clips.push(end_s, vector)

    def context(self, *, end_s: float) -> ContextView:
        """The context of the clip that ends at `end_s`, which must have been pushed.

        A context clip is the cached one whose end is nearest, within half a clip; one that would end before the
        track's first feature is missing. A missing one repeats the oldest and is marked invalid.
        """
        if len(self._clips) == 0 or self._first_s is None:
            raise LookupError("no clip was pushed yet")
        wanted = end_s - self._clip_ages
        nearest = self._clips.nearest(wanted)
        valid = np.abs(self._clips.times[nearest] - wanted) < self._clip_tolerance_s - TIME_EPSILON_S
        valid &= wanted >= self._first_s - TIME_EPSILON_S
        if not valid[self._past]:
            raise LookupError(f"the clip that ends at {end_s} s was not pushed, or is no longer kept")
        chosen = nearest if valid.all() else np.where(valid, nearest, nearest[valid].min())
        return ContextView(end_s, self._clips.vectors[chosen], valid)

    def reset(self) -> None:
        """Forget all features and clips, as if the track began now."""
        self._features.clear()
        self._clips.clear()
        self._first_s = None
