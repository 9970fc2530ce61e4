"""Faces that were hidden bit by bit: what the encoder sees of each, what the bundle answers, and where that falls.

Of FER+, the Training part is learned from; PublicTest is divided between watching the training and reporting. Of the
clips, people are divided by the recipe's file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamaffect.types import FloatArray, ImageArray

from ....data.augment import apply_view, draw_view, place, plain
from ....data.prepare import shard_share
from ....data.sets.ferplus import PUBLIC_TEST, TRAINING, load_ferplus
from ....data.videos import LabelledVideo, load_videos, read_people
from ....errors import DataError
from ....loop.context import Context
from ....models.frozen_encoder import MapEncoder
from ....models.occluded import occluded
from ..data import HELD, PREPARED
from ..generated import generated_clips, generated_stills
from ..recipe import MapLensRecipe

HIDDEN = "occluded"  # folder of a run
FRAMES_FROM = 100_000  # the numbers of frames, beyond those of pictures


class Shown(NamedTuple):
    """A picture, the share of its side that a crop shows, and its number, of which its changes are drawn."""

    picture: ImageArray
    share: float
    number: int


@dataclass(frozen=True, slots=True)
class OccludedFaces:
    """N faces.

    crops: (N, S, S, 3) uint8 RGB; features: (N, D) and maps: (N, C, 8, 8) float16, of the encoder
    probabilities: (N, 8), the bundle's answer; drop: (N, 8, 8) as `streamaffect.affect.occlusion.Occlusion`
    """

    crops: ImageArray
    features: FloatArray
    maps: np.ndarray
    probabilities: FloatArray
    drop: FloatArray

    def __len__(self) -> int:
        return len(self.crops)


@dataclass(frozen=True, slots=True)
class Corpus:
    """train: learned from; valid: watched while training; report_*: only reported. names: for the manifest."""

    train: OccludedFaces
    valid: OccludedFaces
    report_stills: OccludedFaces
    report_clips: OccludedFaces
    names: list[str]


def load_corpus(recipe: MapLensRecipe, context: Context) -> Corpus:
    """All faces, hidden bit by bit where the run's folder does not hold that. Raises DataError."""
    encoder = MapEncoder(recipe.bundle)
    crops, names = _drawn(recipe, encoder) if recipe.data == "generated" else _real(recipe, context, encoder)
    train, valid, stills, clips = (_occluded(recipe, context, encoder, *part) for part in crops.items())
    return Corpus(train, valid, stills, clips, names)


def _occluded(
    recipe: MapLensRecipe, context: Context, encoder: MapEncoder, name: str, crops: Sequence[ImageArray]
) -> OccludedFaces:
    if not crops:
        raise DataError(f"{name}: no face; expected {HELD}")
    colour = np.stack([crop if crop.ndim == 3 else np.repeat(crop[..., None], 3, axis=2) for crop in crops])
    context.progress.start(f"occlusion, {name}", len(colour), 0)
    found = occluded(colour, context.folder / HIDDEN, bundle=recipe.bundle, on_done=context.progress.advance)
    context.progress.note(name, f"{len(colour)} faces hidden bit by bit")
    return OccludedFaces(colour, *encoder.encode_whole(iter(colour)), found.probabilities, found.drop)


Crops = dict[str, list[ImageArray]]


def _real(recipe: MapLensRecipe, context: Context, encoder: MapEncoder) -> tuple[Crops, list[str]]:
    root, people = context.data_folder(HELD), read_people(context.beside(recipe.people))
    shards, shown = context.folder / PREPARED, shard_share(encoder.bundle.manifest.crop)
    stills = [_whole(load_ferplus(root, split, taught=False).stills.pictures) for split in (TRAINING, PUBLIC_TEST)]
    clips = {split: load_videos(root, shards, people, split) for split in ("train", "valid", "report")}
    return _parts(recipe, encoder.size, stills, clips, shown), [
        "FER+ (Training)",
        f"{len(clips['train'])} video clips",
    ]


def _drawn(recipe: MapLensRecipe, encoder: MapEncoder) -> tuple[Crops, list[str]]:
    stills = [_whole(generated_stills(recipe.generated, seed=recipe.seed + i)[0].pictures) for i in range(2)]
    clips = {
        split: generated_clips(2, seed=recipe.seed + 2 + i) for i, split in enumerate(("train", "valid", "report"))
    }
    shown = shard_share(encoder.bundle.manifest.crop)
    return _parts(recipe, encoder.size, stills, clips, shown), ["drawn faces"]


def _whole(pictures: Sequence[ImageArray]) -> list[Shown]:
    """Pictures that are crops of faces already."""
    return [Shown(picture, 1.0, number) for number, picture in enumerate(pictures)]


def _parts(
    recipe: MapLensRecipe,
    size: int,
    stills: Sequence[Sequence[Shown]],
    clips: dict[str, list[LabelledVideo]],
    shown: float,
) -> Crops:
    """The crops of each part, in the order of `Corpus`."""
    learned, held_out = (_shuffled(part, recipe.seed + i) for i, part in enumerate(stills))
    chance_of_clips = recipe.seed + len(stills)
    wanted = {"train": recipe.frames, "valid": recipe.watched[1], "report": recipe.reported[1]}
    frames = {
        split: _frames(videos, shown, wanted[split], np.random.default_rng(chance_of_clips))
        for split, videos in clips.items()
    }
    watched, last = recipe.watched[0], recipe.watched[0] + recipe.reported[0]
    return {
        "training": [
            *_every_other_changed(learned[: recipe.stills], recipe, size),
            *_every_other_changed(frames["train"], recipe, size),
        ],
        "validation": _plain([*held_out[:watched], *frames["valid"]], size),
        "report, pictures": _plain(held_out[watched:last], size),
        "report, clips": _plain(frames["report"], size),
    }


def _shuffled(faces: Sequence[Shown], seed: int) -> list[Shown]:
    return [faces[row] for row in np.random.default_rng(seed).permutation(len(faces))]


def _frames(videos: Sequence[LabelledVideo], shown: float, wanted: int, chance: np.random.Generator) -> list[Shown]:
    """Frames of clips, each clip by the root of its length: the next frame shows hardly anything else."""
    frames = [
        Shown(picture, shown, FRAMES_FROM + number)
        for number, picture in enumerate(picture for video in videos for picture in video.pictures)
    ]
    weights = np.concatenate([np.full(len(video.pictures), len(video.pictures) ** -0.5) for video in videos])
    rows = chance.choice(len(frames), min(wanted, len(frames)), replace=False, p=weights / weights.sum())
    return [frames[row] for row in rows.tolist()]


def _plain(faces: Sequence[Shown], size: int) -> list[ImageArray]:
    """As the stream would cut them."""
    return [place(face.picture, plain(face.share, mirrored=False), size) for face in faces]


def _every_other_changed(faces: Sequence[Shown], recipe: MapLensRecipe, size: int) -> list[ImageArray]:
    """The rest as the stream would cut them."""
    crops = _plain(faces, size)
    for row in range(1, len(faces), 2):
        face = faces[row]
        generator = np.random.default_rng([recipe.seed, face.number])
        view = draw_view(recipe.augment, generator, shown=face.share)
        crops[row] = apply_view(face.picture, view, size, generator)
    return crops
