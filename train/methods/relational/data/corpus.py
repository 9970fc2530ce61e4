"""All the data of a run, by what each part is for. No person, and no picture, is in two parts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamaffect.errors import ConfigError
from streamaffect.types import BoolArray, FloatArray

from ....data.labelled_clips import TABLE, clip_records, clip_videos, has_emotions, load_labelled_clips
from ....data.sets.ferplus import PUBLIC_TEST, TRAINING, load_ferplus
from ....data.sets.lfw import load_lfw
from ....data.stills import Stills, concatenate
from ....data.videos import LabelledVideo, load_videos, read_people, teacher_rows
from ....errors import DataError
from ....loop.context import Context
from ..recipe import Recipe
from .generated import generated_stills, generated_videos
from .sources import training_stills, video_stills

HELD = f"ferplus/, lfw_faces/ and videos/, or {TABLE}"  # below --data
PREPARED = "prepared"  # folder of a run: faces of the videos
SPLITS = ("train", "valid", "report")  # of a file of people
LEAST_GAP = 0.6  # of a clip's period, between the frames of one's own clips that are cut


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Pictures that are never trained on. is_clear: (N,) those with a majority, on which accuracy is counted."""

    stills: Stills
    is_clear: BoolArray


@dataclass(frozen=True, slots=True)
class Corpus:
    """stills and weights: (N,) what is trained on, and how often each comes in an epoch on average.

    clip_stills: the same pictures with the labels of stage 2
    held_out: stills on which choices are made
    videos:   trained on; valid_videos: choices are made and intervals calibrated; report_videos: only reported
    names:    for the manifest
    """

    stills: Stills
    clip_stills: Stills
    weights: FloatArray
    held_out: HeldOut
    videos: list[LabelledVideo]
    valid_videos: list[LabelledVideo]
    report_videos: list[LabelledVideo]
    names: list[str]


def load_corpus(recipe: Recipe, context: Context) -> Corpus:
    """What `recipe.data` asks for. Raises ConfigError or DataError where data are missing or not as described."""
    if recipe.data.kind == "generated":
        return _generated(recipe)
    root, shards = context.data_folder(HELD), context.folder / PREPARED
    if recipe.data.kind == "clips":
        return _own_clips(recipe, root, shards)
    config, colour = recipe.data, recipe.frame.colour
    train, valid, report = _videos(recipe, context.beside(recipe.data.people), root, shards)
    taught = min(config.votes_share, config.clip_votes_share) < 1 or recipe.frame.loss.guidance > 0
    ferplus, held_out = (load_ferplus(root, part, colour=colour, taught=taught) for part in (TRAINING, PUBLIC_TEST))
    faces = load_lfw(root, colour=colour) if config.lfw > 0 else None
    stills, weights = training_stills(recipe.data, ferplus, faces, votes_share=recipe.data.votes_share)
    relabelled, _ = training_stills(recipe.data, ferplus, faces, votes_share=recipe.data.clip_votes_share)
    return Corpus(
        stills=stills,
        clip_stills=relabelled,
        weights=weights,
        held_out=HeldOut(held_out.stills, held_out.is_clear),
        videos=train,
        valid_videos=valid,
        report_videos=report,
        names=["FER+ (Training)", *(["LFW faces"] if faces is not None else []), f"{len(train)} video clips"],
    )


def _videos(recipe: Recipe, people: Path, root: Path, shards: Path) -> tuple[list[LabelledVideo], ...]:
    """To train on, to choose on, to report: with the teacher's labels, or one's own where no people are named."""
    if not recipe.data.people:
        return _own_videos(recipe, root, shards)
    split, colour = read_people(people), recipe.frame.colour
    train, valid, report = (load_videos(root, shards, split, name, colour=colour) for name in SPLITS)
    return train, valid, report


@dataclass(frozen=True, slots=True)
class Preparation:
    """Which videos are cut before training.

    frames: of these videos only these; gap_s: least time between two frames
    """

    videos: dict[str, Path]
    frames: dict[str, set[int]]
    gap_s: float


def to_prepare(recipe: Recipe, context: Context) -> Preparation:
    """What `prepare` has to cut for this recipe."""
    if recipe.data.kind == "generated":
        return Preparation({}, {}, 0.0)
    root = context.data_folder(HELD)
    if recipe.data.kind == "clips" or not recipe.data.people:
        return Preparation(clip_videos(clip_records(root), root), {}, LEAST_GAP * recipe.clip.period_s)
    frames = {name: set(rows) for name, rows in teacher_rows(root).items()}
    names = [name for name in read_people(context.beside(recipe.data.people)) if name in frames]
    return Preparation({name: root / "videos" / name for name in names}, frames, 0.0)


def with_video_frames(corpus: Corpus, recipe: Recipe) -> tuple[Stills, FloatArray]:
    """The stills of stage 1: those of the corpus and the single frames of its videos."""
    if recipe.data.videos == 0:
        return corpus.stills, corpus.weights
    frames = video_stills(corpus.videos, recipe.crop)
    weights = np.full(len(frames), recipe.data.videos, np.float32)
    return concatenate([corpus.stills, frames]), np.concatenate([corpus.weights, weights])


def _own_videos(recipe: Recipe, root: Path, shards: Path) -> tuple[list[LabelledVideo], ...]:
    """The clips of `clips.csv` by split; its test split is reported, or valid where there is none."""
    records = clip_records(root)
    if recipe.temporal.loss.cross_entropy > 0 and not has_emotions(records):
        raise ConfigError(f"{root / TABLE}: has no column for every emotion; set frame.loss.cross_entropy and "
                          "temporal.loss.cross_entropy to 0, or add the columns")  # fmt: skip
    colour = recipe.frame.colour
    train, valid, test = (
        load_labelled_clips(records, shards, split, colour=colour) for split in ("train", "valid", "test")
    )
    for name, part in (("train", train), ("valid", valid)):
        if not part:
            raise DataError(f"{root / TABLE}: no clip of the split {name} shows a face; training needs some")
    return train, valid, test or valid


def _own_clips(recipe: Recipe, root: Path, shards: Path) -> Corpus:
    """One's own clips alone: their frames are the stills."""
    train, valid, report = _own_videos(recipe, root, shards)
    stills, held_out = video_stills(train, recipe.crop), video_stills(valid, recipe.crop)
    is_clear = held_out.emotions.max(axis=1) > 0.5
    return Corpus(
        stills=stills,
        clip_stills=stills,
        weights=np.ones(len(stills), np.float32),
        held_out=HeldOut(held_out, np.asarray(is_clear)),
        videos=train,
        valid_videos=valid,
        report_videos=report,
        names=[f"{len(train)} clips of {TABLE}"],
    )


def _generated(recipe: Recipe) -> Corpus:
    seed, colour = recipe.seed, recipe.frame.colour
    stills = generated_stills(recipe.data.generated, seed=seed, colour=colour)
    held_out = generated_stills(recipe.data.generated // 4, seed=seed + 1, colour=colour)
    videos = [generated_videos(4, seed=seed + offset, colour=colour) for offset in (2, 3, 4)]
    return Corpus(
        stills=stills,
        clip_stills=stills,
        weights=np.ones(len(stills), np.float32),
        held_out=HeldOut(held_out, np.ones(len(held_out), np.bool_)),
        videos=videos[0],
        valid_videos=videos[1],
        report_videos=videos[2],
        names=["drawn faces"],
    )
