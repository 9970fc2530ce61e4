"""Faces with action units as MediaPipe's blendshapes show them, and whose face each is.

No person and no picture is on two sides: clips are divided by the file of people, of FER+ the published PublicTest is
held out, and its pictures are divided once more, between choosing intervals and reporting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from streamaffect.text.action_units import UNIT_BLENDSHAPES
from streamaffect.types import FloatArray

from ...data.guidance import MOVEMENTS, without_side
from ...data.prepare import prepare_videos, shard_share
from ...data.sets.ferplus import PUBLIC_TEST, TRAINING, load_ferplus
from ...data.stills import Stills
from ...data.videos import LabelledVideo, load_videos, read_people, teacher_rows
from ...errors import DataError
from ...loop.context import Context
from ...models.frozen_encoder import MapEncoder, augmented_maps, cached, plain_maps
from .generated import generated_clips, generated_stills
from .recipe import LensRecipe, MapLensRecipe

HELD = "ferplus/ and videos/, with the teacher's blendshapes"
PREPARED = "prepared"  # folder of a run: faces of the videos
MAPS = "maps"  # folder of a run: what the encoder gave

# The teacher never moves 6, 9 and 15: over 26,336 faces cheekSquint and noseSneer stay below 0.001, and what
# mouthFrown shows is not a lip corner going down that people would agree on.
LEFT_OUT = (6, 9, 15)
UNITS = tuple(unit for unit in UNIT_BLENDSHAPES if unit not in LEFT_OUT)
NAMES = tuple(f"AU{unit:02d}" for unit in UNITS)
WEAK = (14, 20, 24, 28)  # r below 0.6 with the teacher on unseen faces


@dataclass(frozen=True, slots=True)
class UnitFaces:
    """Faces as the encoder sees them.

    views:   each (N, C, 8, 8) float16: the picture as it is, then augmented versions
    targets: (N, len(UNITS)) float32 in [0, 1]
    weights: (N,) how often each is met, in proportion; people: (N,) whose face it is, a number each
    """

    views: list[np.ndarray]
    targets: FloatArray
    weights: FloatArray
    people: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> "UnitFaces":
        """The faces of these rows."""
        views = [view[rows] for view in self.views]
        return UnitFaces(views, self.targets[rows], self.weights[rows], self.people[rows])


@dataclass(frozen=True, slots=True)
class Corpus:
    """stills, clips: trained on. valid_*: intervals are made of their errors; report_*: only reported.

    names: for the manifest
    """

    stills: UnitFaces
    clips: UnitFaces
    valid_stills: UnitFaces
    report_stills: UnitFaces
    valid_clips: UnitFaces
    report_clips: UnitFaces
    names: list[str]


def prepare_clips(recipe: LensRecipe | MapLensRecipe, context: Context) -> None:
    """Cut the faces of the recipe's clips, where that was not done before."""
    if recipe.data == "generated":
        return
    root = context.data_folder(HELD)
    frames = {name: set(rows) for name, rows in teacher_rows(root).items()}
    videos = {name: root / "videos" / name for name in read_people(context.beside(recipe.people)) if name in frames}
    on_done = context.progress.videos(len(videos))
    prepared = prepare_videos(videos, context.folder / PREPARED, frames=frames, gap_s=0.0, on_done=on_done)
    context.progress.note("videos", prepared.summary())


def load_corpus(recipe: LensRecipe, context: Context) -> Corpus:
    """All that is trained and reported on. Raises DataError where data are missing or not as described."""
    encoder = MapEncoder(recipe.bundle)
    make = partial(_seen, Looks(recipe, encoder, context))
    if recipe.data == "generated":
        stills = [_drawn(recipe.generated, recipe.seed + i) for i in range(3)]
        clips = [generated_clips(6, seed=recipe.seed + i) for i in range(3, 6)]
    else:
        root, people = context.data_folder(HELD), read_people(context.beside(recipe.people))
        training, held_out = (_stills_with_units(root, split) for split in (TRAINING, PUBLIC_TEST))
        stills = [training, *_halves(*held_out)]
        shards = context.folder / PREPARED
        clips = [load_videos(root, shards, people, split) for split in ("train", "valid", "report")]
    (train, valid, report), moving = stills, [_frames_with_units(part, encoder) for part in clips]
    return Corpus(
        stills=make("stills", train, views=recipe.views),
        clips=make("clips", moving[0], views=recipe.views),
        valid_stills=make("valid-stills", valid),
        report_stills=make("report-stills", report),
        valid_clips=make("valid-clips", moving[1]),
        report_clips=make("report-clips", moving[2]),
        names=["drawn faces"] if recipe.data == "generated" else ["FER+ (Training)", f"{len(clips[0])} video clips"],
    )


def units_of_movements(movements: FloatArray) -> FloatArray:
    """(N, len(MOVEMENTS)) blendshapes with left and right averaged → (N, len(UNITS)) in [0, 1]."""
    columns = [
        movements[:, [MOVEMENTS.index(name) for name in sorted({without_side(shape) for shape in shapes})]].mean(axis=1)
        for unit, shapes in UNIT_BLENDSHAPES.items()
        if unit in UNITS
    ]
    return np.stack(columns, axis=1).clip(0, 1)


Labelled = tuple[Stills, FloatArray, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Looks:
    """How faces are looked at, and where what was seen is kept."""

    recipe: LensRecipe
    encoder: MapEncoder
    context: Context


def _seen(looks: Looks, name: str, labelled: Labelled, *, views: int = 0) -> UnitFaces:
    """The faces with their maps, from the run's folder where they were made before."""
    (stills, targets, people), recipe, encoder, context = labelled, looks.recipe, looks.encoder, looks.context
    if not len(stills):
        raise DataError(f"{name}: no face has blendshapes; expected {HELD}")
    folder = context.folder / MAPS
    found = [cached(folder / f"{name}.npy", lambda: plain_maps(encoder, stills))]
    for view in range(views):
        make = partial(augmented_maps, encoder, stills, recipe.augment, seed=recipe.seed, view=view)
        found.append(cached(folder / f"{name}-{view}.npy", make))
        context.progress.note(f"maps of {name}", f"view {view + 1} of {views}")
    numbers = np.asarray(people)
    counts = np.bincount(numbers)[numbers]
    return UnitFaces(found, targets, np.asarray(1 / np.sqrt(counts), np.float32), numbers)


def _stills_with_units(root: Path, split: int) -> Labelled:
    """Pictures of FER+ in which the teacher found a face; each counts as a person of its own."""
    faces = load_ferplus(root, split)
    guidance = faces.teacher.guidance
    if guidance is None:
        raise DataError(f"{root / 'ferplus'}: the teacher's file holds no blendshapes")
    movements = guidance[:, -len(MOVEMENTS) :]
    rows = np.flatnonzero(np.isfinite(movements).all(axis=1))
    return faces.stills.take(rows), units_of_movements(movements[rows]), range(len(rows))


def _drawn(count: int, seed: int) -> Labelled:
    stills, movements = generated_stills(count, seed=seed)
    return stills, units_of_movements(movements), range(count)


def _halves(stills: Stills, targets: FloatArray, people: Sequence[int]) -> list[Labelled]:
    halves = [np.arange(start, len(stills), 2) for start in (0, 1)]
    return [(stills.take(rows), targets[rows], np.asarray(people)[rows].tolist()) for rows in halves]


def _frames_with_units(videos: Sequence[LabelledVideo], encoder: MapEncoder) -> Labelled:
    """All frames of the clips in which the teacher found a face."""
    pictures, targets, people, names = [], [], [], []
    numbers = {name: number for number, name in enumerate(sorted({video.person for video in videos}))}
    for video in videos:
        if video.guidance is None:
            continue
        movements = video.guidance[:, -len(MOVEMENTS) :]
        rows = np.flatnonzero(np.isfinite(movements).all(axis=1))
        pictures += [video.pictures[row] for row in rows.tolist()]
        targets.append(units_of_movements(movements[rows]))
        people += [numbers[video.person]] * len(rows)
        names += [f"videos/{video.name}"] * len(rows)
    count, shown = len(pictures), shard_share(encoder.bundle.manifest.crop)
    nothing = np.zeros((count, 8), np.float32)
    stills = Stills(pictures, nothing, nothing[:, :2], np.full(count, shown, np.float32), names)
    return stills, np.concatenate(targets) if targets else np.zeros((0, len(UNITS)), np.float32), people
