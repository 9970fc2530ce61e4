"""A recording of crops as clip vectors with their context, by the bookkeeping that streams."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streamaffect.affect.clips import ClipBuffer
from streamaffect.personal.crop_file import CropRecording
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.types import BoolArray, FloatArray, ImageArray

BATCH = 64
Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class PersonClips:
    """A clip for each crop, M in all.

    plain: (M, C) clip vectors of the face as seen; context: (M, K, C) of each; valid: (M, K)
    mirrored, mirrored_context: of its mirror image
    """

    plain: FloatArray
    context: FloatArray
    valid: BoolArray
    mirrored: FloatArray
    mirrored_context: FloatArray


def person_clips(recording: CropRecording, bundle: Bundle, engine: Engine, told: Told = lambda _: None) -> PersonClips:
    """Encode all crops, twice. told: how many more have been encoded, for a bar of progress."""
    sides: list[tuple[FloatArray, FloatArray, BoolArray]] = []
    for crops in (recording.crops, recording.crops[:, :, ::-1]):
        features = _features(crops, engine, told)
        sides.append(_clips(features, recording, bundle, engine))
    (plain, context, valid), (mirrored, mirrored_context, _) = sides
    return PersonClips(plain, context, valid, mirrored, mirrored_context)


def _features(crops: ImageArray, engine: Engine, told: Told) -> FloatArray:
    parts = []
    for start in range(0, len(crops), BATCH):
        part = np.ascontiguousarray(crops[start : start + BATCH])
        parts.append(engine.encode_frames(part))
        told(len(part))
    return np.concatenate(parts)


def _clips(
    features: FloatArray, recording: CropRecording, bundle: Bundle, engine: Engine
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Clip vectors (M, C), their contexts (M, K, C) and which of those are real (M, K)."""
    manifest = bundle.manifest
    vectors, contexts, valid = [], [], []
    for shot in np.unique(recording.shot):
        rows = np.flatnonzero(recording.shot == shot)
        buffer = ClipBuffer(manifest.clip, manifest.context, feature_dim=bundle.feature_dim, clip_dim=bundle.clip_dim)
        for row in rows:
            time_s = float(recording.time_s[row])
            buffer.push(time_s=time_s, feature=features[row])
            (vector,) = engine.encode_clips(buffer.clip(end_s=time_s).features[None])
            buffer.push_clip(end_s=time_s, vector=vector)
            context = buffer.context(end_s=time_s)
            vectors.append(vector)
            contexts.append(context.clips)
            valid.append(context.valid)
    return np.stack(vectors), np.stack(contexts), np.stack(valid)
