"""Features of the finished frame encoder for several augmented views of every picture, kept on disk."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streamaffect.faces.looks import looks

from ...data.augment import AugmentConfig, Generator, View, apply_view, draw_view, jitter
from ...data.stills import Stills
from ...loop.device import device_of
from .encoders import Encoder, encode_pictures
from .frame_stage import plain_crops

BATCH = 256


def plain_features(encoder: Encoder, stills: Stills, size: int, *, mirrored: bool) -> Tensor:
    """(N, D) float32 features of the pictures as the runtime would cut them."""
    ranges = _ranges(len(stills))
    return _encode(encoder, (plain_crops(stills, rows, size, mirrored=mirrored) for rows in ranges))


def still_features(encoder: Encoder, stills: Stills, size: int) -> list[Tensor]:
    """(N, D) float32 features of each of the looks at the pictures that the runtime takes of a still."""
    ranges = _ranges(len(stills))
    per_range = [looks(plain_crops(stills, rows, size, mirrored=False)) for rows in ranges]
    return [_encode(encoder, iter(views)) for views in zip(*per_range, strict=True)]


def augmented_features(
    encoder: Encoder,
    stills: Stills,
    sequences: list[int],
    *,
    size: int,
    config: AugmentConfig,
    seed: int,
    view: int,
) -> Tensor:
    """(N, D) float32 features of one augmented version of each picture.

    sequences: (N,) pictures of equal number are frames of one video: they share a view, and each frame only moves and
               turns a little, as boxes of a detector do
    """

    def crops(rows: range) -> np.ndarray:
        changed = partial(_augmented, stills, size=size, config=config, seed=[seed, view])
        return np.stack([changed(row, sequences[row]) for row in rows])

    with ThreadPoolExecutor(1) as pool:
        return _encode(encoder, pool.map(crops, _ranges(len(stills))))


def cached(file: Path, make: Callable[[], Tensor]) -> Tensor:
    """The features in this file, made and written first if it does not exist."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".partial.npy")
        np.save(unfinished, make().numpy())
        unfinished.replace(file)
    return torch.from_numpy(np.load(file, allow_pickle=False))


def _augmented(
    stills: Stills, row: int, sequence: int, *, size: int, config: AugmentConfig, seed: list[int]
) -> np.ndarray:
    shared = np.random.default_rng([*seed, sequence, 0])
    view = draw_view(config, shared, shown=float(stills.shown[row]))
    own = np.random.default_rng([*seed, row, 1])
    return apply_view(stills.pictures[row], _moved(view, own), size, own)


def _moved(view: View, generator: Generator) -> View:
    return replace(view, matrix=jitter(view.matrix, generator))


@torch.inference_mode()
def _encode(encoder: Encoder, crops: Iterator[np.ndarray]) -> Tensor:
    encoder.eval()
    device = device_of(encoder)
    return torch.cat([encode_pictures(encoder, torch.from_numpy(part).to(device)).float().cpu() for part in crops])


def _ranges(count: int) -> list[range]:
    return [range(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]
