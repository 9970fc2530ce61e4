"""What the frozen frame encoder gives for pictures: its 8 x 8 maps, made once and then read from the run's folder."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamaffect.errors import ConfigError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import FloatArray, ImageArray

from ..data.augment import AugmentConfig, apply_view, draw_view, place, plain
from ..data.stills import Stills

BATCH = 32


class Encoded(NamedTuple):
    """Of N crops. features: (N, D) float32; maps: (N, C, 8, 8) float16."""

    features: FloatArray
    maps: np.ndarray


class MapEncoder:
    """The frame encoder of a bundle, asked for its map."""

    def __init__(self, folder: str) -> None:
        self.bundle: Bundle = load_bundle(folder or None)
        self._engine = OnnxRuntimeEngine(self.bundle)
        if not self._engine.gives_map:
            raise ConfigError(f"{self.bundle.path}: its frame encoder has no output map; export it again")

    @property
    def size(self) -> int:
        """Side of a crop."""
        return self.bundle.manifest.crop.size

    def encode(self, crops: Iterator[ImageArray]) -> np.ndarray:
        """Grey (S, S) or RGB (S, S, 3) crops → (N, C, 8, 8) float16."""
        return np.concatenate([part.maps for part in self._parts(crops)])

    def encode_whole(self, crops: Iterator[ImageArray]) -> Encoded:
        """Of such crops the features as well."""
        parts = list(self._parts(crops))
        return Encoded(np.concatenate([part.features for part in parts]), np.concatenate([part.maps for part in parts]))

    def _parts(self, crops: Iterator[ImageArray]) -> Iterator[Encoded]:
        while waiting := list(itertools.islice(crops, BATCH)):
            colour = [crop if crop.ndim == 3 else np.repeat(crop[..., None], 3, axis=2) for crop in waiting]
            features, maps = self._engine.encode_frames_and_map(np.stack(colour))
            yield Encoded(features, maps.astype(np.float16))


def plain_maps(encoder: MapEncoder, stills: Stills) -> np.ndarray:
    """The maps of the pictures as the runtime would cut them."""
    return encoder.encode(
        place(picture, plain(float(shown), mirrored=False), encoder.size)
        for picture, shown in zip(stills.pictures, stills.shown, strict=True)
    )


def augmented_maps(encoder: MapEncoder, stills: Stills, config: AugmentConfig, *, seed: int, view: int) -> np.ndarray:
    """The maps of one augmented version of each picture."""

    def crop(row: int) -> ImageArray:
        generator = np.random.default_rng([seed, view, row])
        drawn = draw_view(config, generator, shown=float(stills.shown[row]))
        return apply_view(stills.pictures[row], drawn, encoder.size, generator)

    return encoder.encode(crop(row) for row in range(len(stills)))


def cached(file: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in this file, made and written first if it does not exist; read from disk as it is needed."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".partial.npy")
        np.save(unfinished, make())
        unfinished.replace(file)
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
