"""Faces of FER+ as the frozen encoder sees them, with the regions of the expression that most voters named."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from streamaffect.types import ImageArray

from ....data.augment import place, plain
from ....data.drawn_faces import EXPRESSIONS, Points, draw_faces
from ....data.sets.ferplus import PUBLIC_TEST, TRAINING, load_ferplus
from ....data.stills import EMOTIONS
from ....loop.context import Context
from ....models.frozen_encoder import MapEncoder, cached
from ..landmarks import landmarks_of, open_landmarker
from ..recipe import AlignedLensRecipe
from ..regions import heatmaps

DRAWN_PX = 48
Labelled = tuple[list[ImageArray], list[int], Points]  # pictures, numbers in EXPRESSIONS, landmarks in their pixels


@dataclass(frozen=True, slots=True)
class GuidedFaces:
    """maps: (N, C, 8, 8) float16 of the encoder; labels: (N,) int64 in `EXPRESSIONS`; regions: (N, 1, S, S) float32."""

    maps: Tensor
    labels: Tensor
    regions: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def load_guided(recipe: AlignedLensRecipe, context: Context) -> tuple[GuidedFaces, GuidedFaces]:
    """The faces to learn from, and those to report on. Raises DataError where data are missing."""
    encoder = MapEncoder(recipe.bundle)
    if recipe.data == "drawn":
        train, report = (_drawn(recipe.drawn, recipe.seed + i) for i in range(2))
    else:
        root = context.data_folder("ferplus/ and the landmarker")
        parts = (_Part("training", TRAINING, recipe.stills), _Part("report", PUBLIC_TEST, recipe.reported))
        train, report = (_clear(recipe, context, root, part) for part in parts)
    return _seen(encoder, train), _seen(encoder, report)


class _Part(NamedTuple):
    """A split of FER+, and how many of its pictures are wanted."""

    name: str
    split: int
    wanted: int


def _seen(encoder: MapEncoder, labelled: Labelled) -> GuidedFaces:
    pictures, labels, landmarks = labelled
    crops = [place(picture, plain(1.0, mirrored=False), encoder.size) for picture in pictures]
    scale = np.array([encoder.size / picture.shape[0] for picture in pictures])
    points, numbers = torch.from_numpy(landmarks * scale[:, None, None]), torch.tensor(labels)
    regions = heatmaps(points, numbers, height=encoder.size, width=encoder.size, scale_radii=True)
    return GuidedFaces(torch.from_numpy(encoder.encode(iter(crops))), numbers, regions)


def _clear(recipe: AlignedLensRecipe, context: Context, root: Path, part: _Part) -> Labelled:
    """A random sample of the faces whose expression most voters agree on, contempt aside."""
    faces = load_ferplus(root, part.split, taught=False)
    winners = faces.stills.emotions.argmax(axis=1)
    rows = np.flatnonzero(faces.is_clear & (winners != EMOTIONS.index("contempt")))
    rows = np.random.default_rng(recipe.seed).permutation(rows)[: part.wanted]
    pictures = [faces.stills.pictures[row] for row in rows]
    labels = [EXPRESSIONS.index(EMOTIONS[winners[row]].capitalize()) for row in rows]
    file = context.folder / f"landmarks-{part.name}-{recipe.seed}-{len(rows)}.npy"
    return pictures, labels, cached(file, lambda: _landmarks(root / recipe.landmarker, pictures, context, part.name))


def _landmarks(file: Path, pictures: list[ImageArray], context: Context, name: str) -> Points:
    context.progress.start(f"landmarks, {name}", len(pictures), 0)
    found = []
    with open_landmarker(file) as landmarker:
        for number, picture in enumerate(pictures, 1):
            found.append(landmarks_of(picture, landmarker))
            context.progress.advance(number)
    known = int(np.isfinite(np.stack(found)).all(axis=(1, 2)).sum())
    context.progress.note(f"landmarks, {name}", f"found in {known} of {len(pictures)} faces")
    return np.stack(found)


def _drawn(count: int, seed: int) -> Labelled:
    drawn = draw_faces(count, DRAWN_PX, seed=seed)
    return list(drawn.pictures), drawn.labels, drawn.landmarks
