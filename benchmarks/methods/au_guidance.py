"""What action-unit guidance changes on FER+: the same classifier trained with and without it, scored on held-out faces.

The folder holds `ferplus/` with votes; landmarks come from MediaPipe's Face Landmarker.

    python -m benchmarks.methods.au_guidance --data faces --landmarker face_landmarker.task
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from benchmarks.measures.training_run import training_context
from train.config import OptimiserConfig
from train.data.drawn_faces import EXPRESSIONS
from train.data.sets.ferplus import PUBLIC_TEST, TRAINING, load_ferplus
from train.data.stills import EMOTIONS
from train.loop.progress import Progress
from train.methods.au_guided.data import LandmarkFaces, as_faces
from train.methods.au_guided.landmarks import landmarks_of, open_landmarker
from train.methods.au_guided.recipe import AuGuidedRecipe
from train.methods.au_guided.run import read_out, train_classifier
from train.methods.au_guided.spatial import map_cosine, resize_region

SIZE = 48
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Scores:
    """Per face: whether the class is right (N,), and for the faces with a region the cosines of both maps (M,)."""

    right: Tensor
    cam: Tensor
    attention: Tensor


def read_faces(root: Path, landmarker: Any, split: int, limit: int, seed: int) -> LandmarkFaces:
    """A random sample of the faces whose expression most voters agree on, contempt aside, with landmarks."""
    ferplus = load_ferplus(root, split)
    winners = ferplus.stills.emotions.argmax(axis=1)
    rows = np.flatnonzero(ferplus.is_clear & (winners != EMOTIONS.index("contempt")))
    rows = np.random.default_rng(seed).permutation(rows)[:limit]
    pictures = [ferplus.stills.pictures[row] for row in rows]
    labels = [EXPRESSIONS.index(EMOTIONS[winners[row]].capitalize()) for row in rows]
    return as_faces(pictures, labels, np.stack([landmarks_of(picture, landmarker) for picture in pictures]), SIZE)


def measure(recipe: AuGuidedRecipe, train: LandmarkFaces, valid: LandmarkFaces, folder: Path) -> Scores:
    """Train one classifier and read out every validation face."""
    with Progress(Console()) as progress:
        context = training_context(folder / recipe.name, progress, seed=recipe.seed)
        model = train_classifier(recipe, train, valid, context)
    logits, cams, attentions = read_out(model, valid)
    usable = valid.regions.flatten(1).isfinite().all(dim=1)
    target = resize_region(valid.regions[usable], (cams.shape[2], cams.shape[3]))
    right = (logits.argmax(dim=1) == valid.labels).double()
    return Scores(right, map_cosine(cams[usable], target), map_cosine(attentions[usable], target))


def with_interval(plain: Tensor, guided: Tensor, seed: int) -> dict[str, float | list[float]]:
    """Means of both arms, their difference, and its 95 % bootstrap interval over faces, paired."""
    difference = (guided - plain).double()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(difference), (RESAMPLES, len(difference)), generator=generator)
    low, high = difference[drawn].mean(dim=1).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return {
        "plain": float(plain.double().mean()),
        "guided": float(guided.double().mean()),
        "difference": float(difference.mean()),
        "interval": [low, high],
    }


def main() -> None:
    """Both arms for each seed; faces are scored by their mean over seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--landmarker", type=Path, required=True, metavar="FILE")
    parser.add_argument("--run", type=Path, default=Path("runs/au_guidance"), metavar="DIR")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--train", type=int, default=5000, help="faces to train on")
    parser.add_argument("--valid", type=int, default=1500, help="faces to score")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--weight", type=float, default=4.0, help="of the alignment loss")
    options = parser.parse_args()
    with open_landmarker(options.landmarker) as landmarker:
        train = read_faces(options.data, landmarker, TRAINING, options.train, seed=0)
        valid = read_faces(options.data, landmarker, PUBLIC_TEST, options.valid, seed=0)
    optimiser = OptimiserConfig(epochs=options.epochs, batch=64, lr=0.003, ema=0.99)
    arms: dict[str, list[Scores]] = {"plain": [], "guided": []}
    for seed in range(options.seeds):
        for arm, weight in (("plain", 0.0), ("guided", options.weight)):
            recipe = AuGuidedRecipe(
                name=f"{arm}-{seed}", licence="none", seed=seed, data="drawn", size=SIZE, widths=(16, 32),
                depths=(1, 2), alignment=weight, optimiser=optimiser,
            )  # fmt: skip
            arms[arm].append(measure(recipe, train, valid, options.run))
    figures: dict[str, object] = {"train": len(train), "valid": len(valid), "with_region": len(arms["plain"][0].cam)}
    for part in ("right", "cam", "attention"):
        plain, guided = (torch.stack([getattr(scores, part) for scores in arms[arm]]).mean(dim=0) for arm in arms)
        figures[part] = with_interval(plain, guided, seed=0)
    text = json.dumps(figures, indent=2)
    Console().print_json(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
