"""Whether the lens `moments` finds the moment in videos of people whom it has not seen, with all people there are.

The clips that are held out hold few people with a moment to find. So the lens is trained five times, each time without
a fifth of all people, on whose stretches it is asked then; nothing is chosen by what they say. A stretch counts as in
the lens's card: its class is not neutral, and shows by 0.3 more or less in some of its clips.

Chance is what the same weights reach when they are moved along each person's stretches in turn, so that neighbours
stay neighbours; intervals are bootstraps over people, each of whom counts the same, or by the number of stretches.

    python -m benchmarks.methods.moments_unseen --data faces
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from rich.console import Console
from rich.progress import track

from benchmarks.measures.report import Row, show, write
from benchmarks.measures.training_run import training_context
from streamaffect.runtime.bundle import load_bundle
from streamaffect.types import FloatArray
from train.data.prepare import prepare_videos, shard_share
from train.data.sets.ferplus import TRAINING, load_ferplus
from train.data.videos import load_videos, read_people, teacher_rows
from train.loop.progress import Progress
from train.methods.registry import load_recipe
from train.methods.stochastic_softmax.moments.data import ClipVectors, Sequences, joined, picture_rows, video_stretches
from train.methods.stochastic_softmax.moments.fit import fit_moments, right_ones, weights_of, with_moment
from train.methods.stochastic_softmax.recipe import MomentsRecipe

RECIPE = Path(__file__).parents[2] / "configs" / "train" / "lens" / "moments.toml"
PACKAGES = ("numpy", "torch", "onnxruntime")
FOLDS, RESAMPLES = 5, 2000

console = Console()


class Found(NamedTuple):
    """Of N stretches with a moment: whose each is, and in what share of the seeds its heaviest clip is the right one.

    moved: (S, N), the same with the weights moved along each person's stretches by 0, 1, … places
    """

    people: np.ndarray
    hits: np.ndarray
    moved: np.ndarray


def main() -> None:
    """Train the folds, print the table, write the JSON."""
    options = _options()
    recipe = load_recipe(RECIPE).recipe
    assert isinstance(recipe, MomentsRecipe)
    encoder = ClipVectors(load_bundle())
    stretches = _stretches(recipe, encoder, options.data)
    pictures = picture_rows(encoder, load_ferplus(options.data, TRAINING, taught=False), recipe.rows, seed=recipe.seed)
    seeds = [recipe.seed + number for number in range(options.seeds)]
    weights = [_held_out_weights(replace(recipe, seed=seed), pictures, stretches, options.seed) for seed in seeds]
    rows: list[Row] = [{**row, "seeds": len(seeds)} for row in _rows(found_by(weights, stretches))]
    show("the lens moments, on people it has not seen", rows)
    console.print(write("moments_unseen", rows, options.out, packages=PACKAGES))


def found_by(weights: Sequence[FloatArray], stretches: Sequences) -> Found:
    """weights: by seed (V, K), the oldest clip first, of all stretches, which lie person by person in order of time."""
    rows = with_moment(stretches.shown, stretches.labels)
    moved = []
    for places in range(max(np.bincount(stretches.owners))):
        others = np.concatenate([np.roll(own, places) for own in _by_person(stretches.owners)])[rows]
        moved.append(np.mean([right_ones(one[others], stretches.shown[rows]) for one in weights], axis=0))
    return Found(stretches.owners[rows], moved[0], np.array(moved))


def _rows(found: Found) -> Iterator[Row]:
    people = np.unique(found.people)
    table = np.array([[found.hits[found.people == one].sum(), (found.people == one).sum()] for one in people], float)
    moved = np.array([[hits[found.people == one].mean() for one in people] for hits in found.moved])
    # Each person's weights are moved on their own: by chance, and as often as wanted.
    chance = np.random.default_rng(0)
    drawn = moved[chance.integers(0, len(moved), (RESAMPLES, len(people))), np.arange(len(people))]
    again = chance.integers(0, len(people), (RESAMPLES, len(people)))
    shares = table[:, 0] / table[:, 1]
    pooled = table[again].sum(axis=1)
    yield _row("each person counts the same", shares.mean(), shares[again].mean(axis=1), drawn.mean(axis=1), table)
    weighted = drawn @ table[:, 1] / table[:, 1].sum()
    yield _row("each stretch counts the same", found.hits.mean(), pooled[:, 0] / pooled[:, 1], weighted, table)


def _row(words: str, hits: float, again: FloatArray, by_chance: FloatArray, table: FloatArray) -> Row:
    low, high = np.quantile(again, (0.025, 0.975))
    return {
        "figure": words,
        "heaviest clip is the right one": round(float(hits), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "chance": round(float(by_chance.mean()), 4),
        "p": round(float((1 + (by_chance >= hits).sum()) / (1 + len(by_chance))), 4),
        "people": len(table),
        "stretches": int(table[:, 1].sum()),
    }


def _stretches(recipe: MomentsRecipe, encoder: ClipVectors, root: Path) -> Sequences:
    """Those of all people, person by person in the order of time."""
    people = read_people(RECIPE.parent / recipe.people)
    frames = {name: set(rows) for name, rows in teacher_rows(root).items()}
    videos = {name: root / "videos" / name for name in people if name in frames}
    with tempfile.TemporaryDirectory() as folder:
        prepare_videos(videos, Path(folder), frames=frames, gap_s=0.0, on_done=lambda _name, _fate: None)
        splits = ("train", "valid", "report")
        found = [video for split in splits for video in load_videos(root, Path(folder), people, split)]
    found.sort(key=lambda video: (video.person, video.name))
    return video_stretches(encoder, found, shard_share(encoder.bundle.manifest.crop))


def _held_out_weights(recipe: MomentsRecipe, pictures: Sequences, stretches: Sequences, seed: int) -> FloatArray:
    """(V, K): of each stretch by the lens that was trained without its person."""
    people, quiet = np.unique(stretches.owners), Console(quiet=True)
    folds = np.array_split(np.random.default_rng(seed).permutation(people), FOLDS)
    weights = np.zeros(stretches.shown.shape, np.float32)
    for fold in track(folds, "training", console=console, transient=True):
        held = np.isin(stretches.owners, fold)
        train = joined([pictures, _take(stretches, ~held)])
        with tempfile.TemporaryDirectory() as folder:
            context = training_context(Path(folder), Progress(quiet), seed=recipe.seed)
            moments = fit_moments(recipe, context, "softmax", (train, _take(stretches, held)))
        weights[held] = weights_of(moments, _take(stretches, held))
    return weights


def _by_person(owners: np.ndarray) -> Sequence[np.ndarray]:
    return [np.flatnonzero(owners == one) for one in np.unique(owners)]


def _take(sequences: Sequences, rows: np.ndarray) -> Sequences:
    parts = (sequences.clips, sequences.labels, sequences.shown, sequences.owners)
    return Sequences(*(part[rows] for part in parts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ferplus/ and videos/")
    parser.add_argument("--seeds", type=int, default=3, help="so many trainings of each fold (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of who is in which fold (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/moments_unseen.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
