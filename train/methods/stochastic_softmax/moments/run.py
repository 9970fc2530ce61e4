"""A run of the lens `moments`: scores of clips by drawn clips and, to compare, by uniform ones; figures; the folder."""

from collections.abc import Mapping

import msgspec
import torch

from streamaffect.lenses.manifest import CONTEXT, VALID, VALUES, LensOutput
from streamaffect.runtime.bundle import load_bundle

from ....bundle.graphs import TracedGraph
from ....bundle.lens import DeclaredLens, write_lens
from ....data.prepare import prepare_videos, shard_share
from ....data.sets.ferplus import PUBLIC_TEST, TRAINING, load_ferplus
from ....data.videos import load_videos, read_people, teacher_rows
from ....loop.context import Context, Report
from ..recipe import MomentsRecipe, Sampling
from .data import ClipVectors, Sequences, drawn_sequences, joined, picture_rows, video_stretches
from .fit import Moments, fit_moments, hits_by_people, moment_figures

HELD = "ferplus/ and videos/"
PREPARED = "prepared"  # folder of a run: faces of the videos
Parts = dict[str, Sequences]


def prepare(recipe: MomentsRecipe, context: Context) -> Report:
    """Cut the faces of the clips."""
    if recipe.data == "drawn":
        return {}
    root = context.data_folder(HELD)
    frames = {name: set(rows) for name, rows in teacher_rows(root).items()}
    videos = {name: root / "videos" / name for name in read_people(context.beside(recipe.people)) if name in frames}
    on_done = context.progress.videos(len(videos))
    prepared = prepare_videos(videos, context.folder / PREPARED, frames=frames, gap_s=0.0, on_done=on_done)
    context.progress.note("videos", prepared.summary())
    return {}


def run(recipe: MomentsRecipe, context: Context) -> Report:
    """Train, or go on; score on pictures and people that are not trained on, and write the lens.

    Raises DataError where data are missing, TrainingError where the lens cannot be written.
    """
    if context.trains:
        prepare(recipe, context)
    bundle = load_bundle()
    encoder = ClipVectors(bundle)
    parts = _drawn(recipe, encoder) if recipe.data == "drawn" else _faces(recipe, context, encoder)
    train = joined([parts["pictures"], parts["stretches"]])
    by_sampler, by_chance = (fit_moments(recipe, context, kind, (train, parts["valid"])) for kind in KINDS)
    metrics = _figures(by_sampler, by_chance, parts)
    context.export(
        lambda target: write_lens(_graph(by_sampler, encoder), _declared(recipe, metrics, encoder), bundle, target)
    )
    return {"metrics": metrics}


# `python -m benchmarks.methods.moments_unseen`, in benchmarks/results/moments_unseen.json
ON_ALL_PEOPLE = (
    "Trained by this recipe without them, a fifth of all people at a time, it is the right one in 0.46 of the "
    "stretches of 16 people [0.31, 0.60], where chance is 0.24: better than chance, and wrong in half of them"
)
KINDS: tuple[Sampling, ...] = ("softmax", "uniform")


def _faces(recipe: MomentsRecipe, context: Context, encoder: ClipVectors) -> Parts:
    root, people = context.data_folder(HELD), read_people(context.beside(recipe.people))
    share = shard_share(encoder.bundle.manifest.crop)
    shards = context.folder / PREPARED
    videos = {split: load_videos(root, shards, people, split) for split in ("train", "valid", "report")}
    stretches = {split: video_stretches(encoder, found, share) for split, found in videos.items()}
    rows = [
        picture_rows(encoder, load_ferplus(root, split, taught=False), count, seed=recipe.seed)
        for split, count in ((TRAINING, recipe.rows), (PUBLIC_TEST, recipe.test_rows))
    ]
    return {
        "pictures": rows[0],
        "stretches": stretches["train"],
        "valid": stretches["valid"],
        "report": stretches["report"],
        "test_pictures": rows[1],
    }


def _drawn(recipe: MomentsRecipe, encoder: ClipVectors) -> Parts:
    names = ("pictures", "stretches", "valid", "report", "test_pictures")
    width, context = encoder.bundle.clip_dim, encoder.context
    return {name: drawn_sequences(width, context, recipe.rows, seed=recipe.seed + i) for i, name in enumerate(names)}


def _figures(by_sampler: Moments, by_chance: Moments, parts: Parts) -> dict[str, object]:
    heads = {"drawn_clips": by_sampler, "uniform_clips": by_chance}
    found = {
        words: {
            kind: moment_figures(head, parts[name]) | hits_by_people(head, parts[name]) for kind, head in heads.items()
        }
        for words, name in (("report_people", "report"), ("valid_people", "valid"), ("test_pictures", "test_pictures"))
    }
    clips, pictures = (found[name]["drawn_clips"]["hits"] for name in ("report_people", "test_pictures"))
    summary = f"the heaviest of five clips is the right one in {clips:.2f} of stretches, {pictures:.2f} of picture rows"
    return {"summary": {"unseen faces": summary}, "trained_on_stretches": len(parts["stretches"]), **found}


def _graph(moments: Moments, encoder: ClipVectors) -> TracedGraph:
    generator = torch.Generator().manual_seed(0)
    examples = {
        CONTEXT: torch.randn(2, encoder.context, encoder.bundle.clip_dim, generator=generator),
        VALID: torch.tensor([[True] * encoder.context, [False] * (encoder.context - 1) + [True]]),
    }
    return TracedGraph(moments, examples, [VALUES])


def _declared(recipe: MomentsRecipe, metrics: Mapping[str, object], encoder: ClipVectors) -> DeclaredLens:
    length_s = encoder.frames * encoder.period_s
    ages = [(number * length_s, (number + 1) * length_s) for number in range(encoder.context)]
    outputs = [
        LensOutput(f"ago_{first:.1f}s".replace(".", "_"), (0.0, 1.0), "share", f"{first:.1f} to {last:.1f} s ago")
        for first, last in ages
    ]
    return DeclaredLens(
        name=recipe.name,
        kind="moments",
        version=recipe.version,
        licence=recipe.licence,
        summary=f"How much each of the last {encoder.context} clips counts for what the face shows",
        outputs=outputs,
        recipe=f"{recipe.name}.toml",
        seed=recipe.seed,
        data=["drawn sequences"] if recipe.data == "drawn" else ["FER+ (Training)", "video clips"],
        metrics=metrics,
        limits=[
            *_shown_by(metrics, 1 / encoder.context),
            *([] if recipe.data == "drawn" else [ON_ALL_PEOPLE]),
            "Shares of one whole: they say which second, not whether anything was shown",
            "Small differences within one lasting expression move them too",
            "Labels of stretches are a teacher's, the clearest class in any of their clips; no person marked one",
            "Rows of pictures are of different people and do not move",
            "Of a still, and where a face has just come, all counts as newest: nothing came before",
            "It explains the pooling, not the valence and arousal of the bundle, which weigh clips otherwise",
        ],
    )


def _shown_by(metrics: Mapping[str, object], chance: float) -> list[str]:
    """How sure it is on unseen people, in words."""
    found = msgspec.convert(metrics["report_people"], dict[str, dict[str, float]])["drawn_clips"]
    if "people" not in found:
        return []
    interval = f"[{found['hits_low']:.2f}, {found['hits_high']:.2f}]"
    return [
        f"On {found['people']:.0f} unseen people the clip that counts most is the right one in {found['hits']:.2f} of "
        f"{found['sequences']:.0f} stretches {interval}; chance is {chance:.2f}"
    ]
