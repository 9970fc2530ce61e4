"""Sequences of clips with one label each, as the frozen encoders of a bundle see them.

Rows of pictures: clips of equal pictures of FER+, neutral but for one or two that show the row's class, each of another
person. Stretches of videos: successive clips of a face, labelled by the class that the teacher sees most clearly in any
of them. Training knows the label of a sequence and not where it is shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import FloatArray, ImageArray

from ....data.augment import place, plain
from ....data.sets.ferplus import FerPlus
from ....data.stills import EMOTIONS
from ....data.videos import LabelledVideo

BATCH = 64
NEUTRAL = EMOTIONS.index("neutral")
CLEAR = 0.5  # least share of the teacher for a class other than neutral
STEP_CLIPS = 1  # from one stretch of a video to the next


@dataclass(frozen=True, slots=True)
class Sequences:
    """V sequences of K clips, oldest first.

    clips: (V, K, C) float32. labels: (V,) int64, numbers in EMOTIONS. owners: (V,) whose face; -1: many people's
    shown: (V, K) float32, how much of the label each clip shows: nobody trains on it
    """

    clips: FloatArray
    labels: np.ndarray
    shown: FloatArray
    owners: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def joined(parts: Sequence[Sequences]) -> Sequences:
    """All of them as one."""
    return Sequences(
        np.concatenate([part.clips for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.shown for part in parts]),
        np.concatenate([part.owners for part in parts]),
    )


class ClipVectors:
    """The frame and clip encoders of a bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self._engine = OnnxRuntimeEngine(bundle)
        self.bundle = bundle
        self.frames = bundle.manifest.clip.frames
        self.period_s = bundle.manifest.clip.period_s
        self.context = bundle.manifest.context.past + 1

    def features(self, pictures: Sequence[ImageArray], shown: Sequence[float]) -> FloatArray:
        """Grey or RGB pictures, of which the runtime's crop shows so much, to (N, D)."""
        size = self.bundle.manifest.crop.size
        cut = (place(one, plain(part, mirrored=False), size) for one, part in zip(pictures, shown, strict=True))
        crops = (one if one.ndim == 3 else np.repeat(one[..., None], 3, axis=2) for one in cut)
        return np.concatenate([np.asarray(self._engine.encode_frames(np.stack(part))) for part in _parts(crops)])

    def clips(self, features: FloatArray) -> FloatArray:
        """(N, T, D) → (N, C)."""
        starts = range(0, len(features), BATCH)
        return np.concatenate([np.asarray(self._engine.encode_clips(features[at : at + BATCH])) for at in starts])


def _parts(crops: Iterator[ImageArray]) -> Iterator[list[ImageArray]]:
    waiting: list[ImageArray] = []
    for crop in crops:
        waiting.append(crop)
        if len(waiting) == BATCH:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def picture_rows(encoder: ClipVectors, faces: FerPlus, count: int, *, seed: int) -> Sequences:
    """`count` rows of clips of equal pictures, as many of each class as can be; neutral rows show nothing else."""
    clear = np.flatnonzero(faces.is_clear)
    stills = faces.stills.take(clear)
    features = encoder.features(stills.pictures, stills.shown.tolist())
    vectors = encoder.clips(np.repeat(features[:, None], encoder.frames, axis=1))
    classes = stills.emotions.argmax(axis=1)
    generator = np.random.default_rng(seed)
    there = [number for number in range(len(EMOTIONS)) if (classes == number).any()]
    labels = np.resize(np.array(there, np.int64), count)
    clips = np.empty((count, encoder.context, vectors.shape[1]), np.float32)
    shown = np.zeros((count, encoder.context), np.float32)
    for row, label in enumerate(labels.tolist()):
        clips[row] = vectors[generator.choice(np.flatnonzero(classes == NEUTRAL), encoder.context)]
        length = int(generator.integers(1, 3))
        start = int(generator.integers(0, encoder.context - length + 1))
        clips[row, start : start + length] = vectors[generator.choice(np.flatnonzero(classes == label), length)]
        shown[row, start : start + length] = 1.0
    return Sequences(clips, labels, shown, np.full(count, -1))


def video_stretches(encoder: ClipVectors, videos: Sequence[LabelledVideo], share: float) -> Sequences:
    """Stretches of videos, one clip apart. share: of a picture's side that the runtime's crop shows."""
    people = sorted({video.person for video in videos})
    found: list[Sequences] = []
    for video in videos:
        features = encoder.features(video.pictures, [share] * len(video.pictures))
        length_s = encoder.frames * encoder.period_s
        ends = np.arange(video.time_s[0] + encoder.context * length_s, video.time_s[-1] + 1e-6, STEP_CLIPS * length_s)
        for end_s in ends.tolist():
            rows = _rows(video.time_s, end_s, encoder)
            if rows is not None:
                found.append(_stretch(encoder, video, features, rows, people.index(video.person)))
    if not found:
        width = encoder.bundle.clip_dim
        empty = np.zeros((0, encoder.context), np.float32)
        return Sequences(np.zeros((0, encoder.context, width), np.float32), np.zeros(0, np.int64), empty, np.zeros(0))
    return joined(found)


def _rows(time_s: np.ndarray, end_s: float, encoder: ClipVectors) -> np.ndarray | None:
    """The nearest frame of each sample of the stretch, (K, T); None where one has no frame within half a clip."""
    count = encoder.context * encoder.frames
    wanted = end_s - encoder.period_s * np.arange(count - 1, -1, -1)
    nearest = np.abs(time_s[None] - wanted[:, None]).argmin(axis=1)
    if np.abs(time_s[nearest] - wanted).max() > encoder.frames * encoder.period_s / 2:
        return None
    return np.asarray(nearest.reshape(encoder.context, encoder.frames))


def _stretch(
    encoder: ClipVectors, video: LabelledVideo, features: FloatArray, rows: np.ndarray, owner: int
) -> Sequences:
    shares = video.emotions[rows].mean(axis=1)
    label = clearest(shares)
    clips = encoder.clips(features[rows])[None]
    return Sequences(clips, np.array([label]), shares[None, :, label].astype(np.float32), np.array([owner]))


def clearest(shares: FloatArray) -> int:
    """The class other than neutral that is clearest in any clip; neutral where none is. shares: (K, 8), of clips."""
    others = np.where(np.arange(len(EMOTIONS)) == NEUTRAL, -1.0, shares.max(axis=0))
    return int(others.argmax()) if others.max() >= CLEAR else NEUTRAL


def drawn_sequences(width: int, context: int, count: int, *, seed: int) -> Sequences:
    """Noise in which one clip points in the direction of the sequence's class: for a check of the machinery."""
    directions = np.random.default_rng(0).normal(size=(len(EMOTIONS), width)).astype(np.float32)
    generator = np.random.default_rng(seed)
    labels = np.resize(np.arange(len(EMOTIONS)), count)
    clips = generator.normal(size=(count, context, width)).astype(np.float32)
    at = generator.integers(0, context, count)
    clips[np.arange(count), at] += directions[labels]
    shown = np.zeros((count, context), np.float32)
    shown[np.arange(count), at] = 1.0
    return Sequences(clips, labels, shown, np.arange(count))
