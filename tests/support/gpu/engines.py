"""Engines for tests of what surrounds them: one that counts, and one whose numbers depend on every position."""

from dataclasses import dataclass, field

import numpy as np

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine, EngineInfo
from streamaffect.types import BoolArray, FloatArray, ImageArray


@dataclass
class CountingEngine:
    """Passes everything on, and remembers what it was asked for."""

    engine: Engine
    crops: list[ImageArray] = field(default_factory=list)
    clips: list[FloatArray] = field(default_factory=list)
    head_batches: list[int] = field(default_factory=list)
    frame_batches: list[int] = field(default_factory=list)

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        self.crops += list(crops)
        self.frame_batches.append(len(crops))
        return self.engine.encode_frames(crops)

    def encode_clips(self, features: FloatArray) -> FloatArray:
        self.clips += list(features)
        return self.engine.encode_clips(features)

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        self.head_batches.append(len(clip))
        return self.engine.run_heads(clip, context, valid)

    def close(self) -> None:
        self.engine.close()


class PositionalEngine:
    """For the bundles of `tests.support.bundles`: every sample, its place in the clip and its validity matter."""

    def __init__(self, bundle: Bundle) -> None:
        rng = np.random.default_rng(3)
        frames, clips = bundle.manifest.clip.frames, bundle.manifest.context.clips
        self._clip_weights = rng.normal(size=(frames, 3, 3)).astype(np.float32)
        self._head_weights = rng.normal(size=(clips, 3, 2)).astype(np.float32) / clips
        self._validity_weights = rng.normal(size=(clips, 2)).astype(np.float32)

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("positional", "numpy", "fp32", "for tests")

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        features: FloatArray = (crops.mean(axis=(1, 2)) / 255).astype(np.float32)
        return features

    def encode_clips(self, features: FloatArray) -> FloatArray:
        clip: FloatArray = np.tanh(np.einsum("ntd,tdc->nc", features, self._clip_weights))
        return clip

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        mixed = np.einsum("nkc,kcl->nl", context, self._head_weights) + valid @ self._validity_weights
        affect = np.tanh(mixed + clip[:, :2]).astype(np.float32)
        return {"affect": affect, "affect_spread": np.abs(affect), "emotions": np.abs(clip)}

    def close(self) -> None:
        pass
