"""The estimator: crops → features → clips → context → heads, for any number of tracks in one batch.

It keeps one `ClipBuffer` per track and never computes anything twice: a crop is encoded once, a clip is encoded once,
and only the heads run again when a provisional estimate is refined by its future. It never looks into what the engine
gives for features and clips, so that an engine may keep them and give their rows instead.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from streamaffect.affect.clips import TIME_EPSILON_S, ClipBuffer, ClipView, ContextView
from streamaffect.clock import monotonic_ns
from streamaffect.errors import LensError
from streamaffect.lenses.desk import LensDesk
from streamaffect.lenses.frames import FrameInputs, frame_encoding
from streamaffect.lenses.manifest import CLIP, CONTEXT, VALID
from streamaffect.lenses.view import FacePicture, LensPart, Readings, View
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import RowEngine, StreamEngine
from streamaffect.types import FloatArray, ImageArray, VectorArray

TrackKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Observation:
    """A track at one time.

    key:  stream and track
    crop: (S, S, 3) uint8 RGB; None while the face is hidden or shown too poorly to be looked at
    picture: the face in its frame, where there is a crop of it, for lenses that look at it themselves
    """

    key: TrackKey
    time_s: float
    crop: ImageArray | None
    picture: FacePicture | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the heads say of the clip that ends at `time_s`.

    heads:       one row (L,) float32 per head; empty where the track has shown no usable face yet
    lenses:      what those lenses say of it that looked at it
    lookahead_s: seconds of future in the context: 0 at first, more when this refines an earlier prediction
    clip:        (C,) float32 the clip's vector; None where the engine keeps it
    """

    key: TrackKey
    time_s: float
    heads: dict[str, FloatArray]
    coverage: float
    context_fill: float
    lookahead_s: float = 0.0
    lenses: Readings = field(default_factory=dict)
    clip: FloatArray | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the estimator gave.

    predictions: one per observation, in the same order
    refinements: of earlier predictions, whose future has now come
    encode_ms:   milliseconds in the frame encoder; clip_ms: in clips, context, heads and lenses
    """

    predictions: list[Prediction]
    refinements: list[Prediction]
    encode_ms: float
    clip_ms: float


@dataclass(slots=True)
class _Track:
    buffer: ClipBuffer
    # Clips that were predicted without their future, oldest first: end time and coverage.
    provisional: deque[tuple[float, float]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class _Query:
    """One row of the head's batch."""

    key: TrackKey
    context: ContextView
    coverage: float
    lookahead_s: float


class Estimator:
    """Streaming inference with a bundle. One thread at a time.

    lenses: look at every prediction that is made at once, not at refinements; they change nothing of it

    Raises LensError where a lens cannot have what it reads from this engine.
    """

    def __init__(self, bundle: Bundle, engine: StreamEngine, lenses: Sequence[LensPart] = ()) -> None:
        manifest = bundle.manifest
        self._bundle = bundle
        self._engine = engine
        self._owner = engine if isinstance(engine, RowEngine) else None
        self._past = manifest.context.past
        self._clip_s = manifest.clip.length_s
        self._lookahead_s = manifest.context.future * manifest.clip.length_s
        self._tracks: dict[TrackKey, _Track] = {}
        self._desk = LensDesk(lenses)
        if self._owner is not None and {CLIP, CONTEXT} & self._desk.inputs:
            raise LensError("a lens reads clip vectors, which engine.device_clips = true keeps in the GPU's memory")
        self._encode = frame_encoding(bundle, engine, self._desk.inputs)

    def step(self, observations: Sequence[Observation]) -> Step:
        """Take one observation per track, and predict for each.

        Raises ValueError where a track's time does not increase.
        """
        started_ns = monotonic_ns()
        seen = self._encode_frames(observations)
        encoded_ns = monotonic_ns()
        # The heads run once for both kinds of rows.
        queries = self._encode_clips(observations)
        predicted = iter(self._run_heads(queries))
        predictions = [
            next(predicted) if self._has_features(observation.key) else _nothing_seen(observation)
            for observation in observations
        ]
        refinements = list(predicted)
        if self._desk.inputs:
            predictions = self._with_lenses(observations, predictions, queries, seen)
        return Step(
            predictions,
            refinements,
            encode_ms=(encoded_ns - started_ns) / 1e6,
            clip_ms=(monotonic_ns() - encoded_ns) / 1e6,
        )

    def forget(self, key: TrackKey) -> None:
        """Drop a track that is lost."""
        if track := self._tracks.pop(key, None):
            track.buffer.reset()
        self._desk.forget(key)

    def forget_stream(self, stream: str) -> None:
        """Drop all tracks of a stream."""
        for key in [key for key in self._tracks if key[0] == stream]:
            self.forget(key)

    def forget_all(self) -> None:
        """Drop what is known of all tracks, as if each began now."""
        for key in list(self._tracks):
            self.forget(key)

    def _encode_frames(self, observations: Sequence[Observation]) -> dict[TrackKey, FrameInputs]:
        """Encode what is seen; returns what lenses read of it, a row for each track."""
        seen = [(observation, observation.crop) for observation in observations if observation.crop is not None]
        if not seen:
            return {}
        features, inputs = self._encode(np.stack([crop for _, crop in seen]))  # (N, S, S, 3) → (N, D or 1)
        for (observation, _), feature in zip(seen, features, strict=True):
            track = self._track(observation.key)
            if track.buffer.push(time_s=observation.time_s, feature=feature):
                track.provisional.clear()
        return {one.key: {name: rows[i] for name, rows in inputs.items()} for i, (one, _) in enumerate(seen)}

    def _encode_clips(self, observations: Sequence[Observation]) -> list[_Query]:
        """Encode the newest clip of each track; returns the rows for the heads, refinements last."""
        clips: list[tuple[TrackKey, ClipView]] = [
            (observation.key, self._tracks[observation.key].buffer.clip(end_s=observation.time_s))
            for observation in observations
            if self._has_features(observation.key)
        ]
        if not clips:
            return []
        vectors = self._engine.encode_clips(np.stack([clip.features for _, clip in clips]))  # (N, T, D) → (N, C)
        queries: list[_Query] = []
        refinements: list[_Query] = []
        for (key, clip), vector in zip(clips, vectors, strict=True):
            track = self._tracks[key]
            track.buffer.push_clip(end_s=clip.end_s, vector=vector)
            queries.append(_Query(key, track.buffer.context(end_s=clip.end_s), clip.coverage, 0.0))
            refinements += self._due(key, track, clip)
        return queries + refinements

    def _due(self, key: TrackKey, track: _Track, newest: ClipView) -> list[_Query]:
        """Provisional clips whose whole future has come."""
        if self._lookahead_s == 0:
            return []
        if track.provisional and newest.end_s - track.provisional[-1][0] > self._clip_s + TIME_EPSILON_S:
            track.provisional.clear()  # nothing came for longer than one clip: that future is not complete
        track.provisional.append((newest.end_s, newest.coverage))
        due: list[_Query] = []
        while track.provisional[0][0] + self._lookahead_s <= newest.end_s + TIME_EPSILON_S:
            end_s, coverage = track.provisional.popleft()
            due.append(_Query(key, track.buffer.context(end_s=end_s), coverage, self._lookahead_s))
        return due

    def _run_heads(self, queries: Sequence[_Query]) -> list[Prediction]:
        if not queries:
            return []
        context = np.stack([query.context.clips for query in queries])  # (N, K, C)
        valid = np.stack([query.context.valid for query in queries])
        clip = np.ascontiguousarray(context[:, self._past])  # the query is part of its own context
        heads = self._engine.run_heads(clip, context, valid)
        return [
            Prediction(
                key=query.key,
                time_s=query.context.end_s,
                heads={name: rows[i] for name, rows in heads.items()},
                coverage=query.coverage,
                context_fill=query.context.fill,
                lookahead_s=query.lookahead_s,
                clip=clip[i] if self._owner is None else None,
            )
            for i, query in enumerate(queries)
        ]

    def _with_lenses(
        self,
        observations: Sequence[Observation],
        predictions: Sequence[Prediction],
        queries: Sequence[_Query],
        seen: dict[TrackKey, FrameInputs],
    ) -> list[Prediction]:
        # Of a track's rows the first is its newest clip; refinements come last.
        contexts = {query.key: query.context for query in reversed(queries)}
        views = [
            View(
                one.key,
                one.time_s,
                seen.get(one.key, {}) | one.heads | (self._of_clip(contexts[one.key]) if one.heads else {}),
                observation.picture,
            )
            for observation, one in zip(observations, predictions, strict=True)
        ]
        readings = self._desk.look(views)
        return [replace(one, lenses=its) if its else one for one, its in zip(predictions, readings, strict=True)]

    def _of_clip(self, context: ContextView) -> dict[str, VectorArray]:
        return {CLIP: context.clips[self._past], CONTEXT: context.clips, VALID: context.valid}

    def _track(self, key: TrackKey) -> _Track:
        if key not in self._tracks:
            clip, context = self._bundle.manifest.clip, self._bundle.manifest.context
            feature_dim, clip_dim = self._bundle.feature_dim, self._bundle.clip_dim
            buffer = ClipBuffer(clip, context, feature_dim=feature_dim, clip_dim=clip_dim, owner=self._owner)
            self._tracks[key] = _Track(buffer)
        return self._tracks[key]

    def _has_features(self, key: TrackKey) -> bool:
        return key in self._tracks and not self._tracks[key].buffer.is_empty


def _nothing_seen(observation: Observation) -> Prediction:
    return Prediction(observation.key, observation.time_s, heads={}, coverage=0.0, context_fill=0.0)
