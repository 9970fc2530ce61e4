"""What PKDOT's structure loss changes on FER+: a student that sees pixels, a teacher that also knows blendshapes.

The visual feature is the leading principal components of the grey pixels, the privileged one the 52 blendshapes that a
landmark model found in the same picture. Scored are held-out faces, each by its mean over seeds.

    python -m benchmarks.methods.privileged_distillation --data faces
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from benchmarks.measures.training_run import training_context
from train.config import OptimiserConfig
from train.data.sets.ferplus import PUBLIC_TEST, TRAINING, load_ferplus
from train.data.stills import EMOTIONS
from train.loop.progress import Progress
from train.methods.pkdot.data import PairedFeatures
from train.methods.pkdot.recipe import PkdotRecipe
from train.methods.pkdot.run import train_parts

RESAMPLES = 2000


def read_faces(root: Path, split: int, limit: int) -> PairedFeatures:
    """A random sample of the faces whose emotion most voters agree on: pixels (N, 48 * 48), blendshapes, emotion."""
    ferplus = load_ferplus(root, split)
    with np.load(root / "ferplus" / "ferplus_train_valid_teacher.npz") as teacher:
        blendshapes, found = teacher["blendshapes"].astype(np.float32), teacher["face_found"]
    place = np.array([int(name.rpartition("/")[2]) for name in ferplus.stills.names])
    rows = np.random.default_rng(0).permutation(np.flatnonzero(ferplus.is_clear & found[place]))[:limit]
    pixels = np.stack([ferplus.stills.pictures[row] for row in rows]).reshape(len(rows), -1).astype(np.float32)
    labels = torch.from_numpy(ferplus.stills.emotions[rows].argmax(axis=1))
    return PairedFeatures(torch.from_numpy(pixels), torch.from_numpy(blendshapes[place[rows]]), labels)


def as_features(train: PairedFeatures, valid: PairedFeatures) -> tuple[PairedFeatures, PairedFeatures]:
    """Both modalities standardised, the pixels as as many principal components as there are blendshapes."""
    centre = train.visual.mean(dim=0)
    axes = torch.linalg.svd(train.visual - centre, full_matrices=False).Vh[: train.privileged.shape[1]].T
    projected = [part._replace(visual=(part.visual - centre) @ axes) for part in (train, valid)]
    first = projected[0]
    out = [
        PairedFeatures(
            (part.visual - first.visual.mean(dim=0)) / first.visual.std(dim=0),
            (part.privileged - first.privileged.mean(dim=0)) / first.privileged.std(dim=0).clamp_min(1e-3),
            part.labels,
        )
        for part in projected
    ]
    return out[0], out[1]


def interval(difference: Tensor) -> list[float]:
    """95 % bootstrap interval of the mean over faces."""
    drawn = torch.randint(len(difference), (RESAMPLES, len(difference)), generator=torch.Generator().manual_seed(0))
    bounds: list[float] = difference[drawn].mean(dim=1).quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    return bounds


def main() -> None:
    """All parts for each seed; the students differ in nothing but the structure loss."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--run", type=Path, default=Path("runs/privileged_distillation"), metavar="DIR")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--train", type=int, default=6000, help="faces to train on")
    parser.add_argument("--valid", type=int, default=2000, help="faces to score")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--weight", type=float, default=0.6, help="of the structure loss")
    options = parser.parse_args()
    train, valid = as_features(
        read_faces(options.data, TRAINING, options.train), read_faces(options.data, PUBLIC_TEST, options.valid)
    )
    optimiser = OptimiserConfig(epochs=options.epochs, batch=128, lr=0.002, ema=0.99)
    right: dict[str, list[Tensor]] = {"teacher": [], "student": [], "student_without_structure": []}
    distances: dict[str, list[float]] = {"student": [], "student_without_structure": []}
    with Progress(Console()) as progress:
        for seed in range(options.seeds):
            recipe = PkdotRecipe(
                name="ferplus", seed=seed, data="drawn", classes=len(EMOTIONS), optimiser=optimiser,
                structure=options.weight,
            )  # fmt: skip
            context = training_context(options.run / str(seed), progress, seed=seed)
            trained = train_parts(recipe, train, valid, context)
            for name, (model, scores) in trained.items():
                inputs = (valid.visual, valid.privileged) if name == "teacher" else (valid.visual,)
                with torch.no_grad():
                    right[name].append((model(*inputs)[0].argmax(dim=1) == valid.labels).double())
                if name in distances:
                    distances[name].append(scores["structure_distance"])
    mean = {name: torch.stack(hits).mean(dim=0) for name, hits in right.items()}
    difference = mean["student"] - mean["student_without_structure"]
    figures = {
        "train": len(train.labels),
        "valid": len(valid.labels),
        "largest_class": float(torch.bincount(valid.labels).max() / len(valid.labels)),
        "accuracy": {name: float(hits.mean()) for name, hits in mean.items()},
        "difference": float(difference.mean()),
        "interval": interval(difference),
        "structure_distance": {name: float(np.mean(values)) for name, values in distances.items()},
    }
    text = json.dumps(figures, indent=2)
    Console().print_json(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
