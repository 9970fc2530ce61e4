"""The visual backbone that methods learn on top of: a bundle's frame and clip encoder, as the stream runs them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.engine import Engine
from streamaffect.runtime.manifest import ClipSpec
from streamaffect.types import FloatArray, ImageArray

from ..errors import DataError

SHIPPED = "default"
BATCH = 256


@dataclass(frozen=True, slots=True)
class VisualBackbone:
    """Frozen. clip: T frames as the bundle has them, each `period_s` of the data."""

    bundle: Bundle
    engine: Engine
    clip: ClipSpec

    @property
    def dim(self) -> int:
        """C, width of a clip vector."""
        return self.bundle.clip_dim

    def check_width(self, features: int, where: str) -> None:
        """Raise DataError unless features of a file are as wide as clip vectors."""
        if features != self.dim:
            raise DataError(f"{where}: 'visual' has {features} features, the clip vectors of the bundle have "
                            f"{self.dim}; leave `bundle` out for features of another backbone")  # fmt: skip

    @property
    def size(self) -> int:
        """Side of a crop in pixels."""
        return self.bundle.manifest.crop.size

    def frames(self, crops: ImageArray) -> FloatArray:
        """crops (F, S, S, 3) uint8 RGB → features (F, D) float32."""
        return np.concatenate([self.engine.encode_frames(crops[rows]) for rows in _batches(len(crops))])

    def clips(self, features: FloatArray, samples: np.ndarray) -> FloatArray:
        """features (F, D) and the rows (M, T) of each clip, oldest first → clip vectors (M, C) float32."""
        return np.concatenate([self.engine.encode_clips(features[samples[rows]]) for rows in _batches(len(samples))])


def open_backbone(bundle: str, period_s: float | None = None) -> VisualBackbone:
    """The bundle in this folder, or the shipped one by the name "default"; raises BundleError.

    period_s: between frames of a clip, if it is to be another than the bundle's
    """
    from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

    opened = load_bundle(None if bundle == SHIPPED else Path(bundle))
    clip = opened.manifest.clip
    return VisualBackbone(opened, OnnxRuntimeEngine(opened), ClipSpec(clip.frames, period_s or clip.period_s))


def _batches(count: int) -> Iterator[slice]:
    return (slice(first, first + BATCH) for first in range(0, count, BATCH))
