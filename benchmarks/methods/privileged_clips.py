"""Does a student that sees pictures alone learn more from a teacher that also knows what the landmark model saw?

On FER+, on top of the shipped encoders, which stay frozen: each picture as a clip of equal frames, the 52 blendshapes
as the privileged modality, the crowd's majority as the label. The same student is trained by the labels alone, with the
teacher's structure (PKDOT), with its answers as soft labels, and with the answers of a teacher that sees no more than
it does, which tells privilege from softening. Also with few labelled pictures, where there is more to be learned.
PublicTest is scored, each picture by its mean over the seeds; intervals are 95 % bootstrap intervals over pictures.

    python -m benchmarks.methods.privileged_clips --data faces
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch
from rich.console import Console
from torch import Tensor, nn

from benchmarks.measures.report import Row, show, write
from benchmarks.measures.training_run import training_context
from benchmarks.methods.privileged_distillation import interval
from train.config import read_recipe
from train.data.backbone import open_backbone
from train.loop.progress import Progress
from train.methods.pkdot.data import PairedFeatures, Parts, ferplus_pairs
from train.methods.pkdot.recipe import PkdotRecipe
from train.methods.pkdot.run import train_students

RECIPE = Path(__file__).parents[2] / "configs" / "train" / "pkdot" / "ferplus.toml"
FEW = 1000
WATCHED = 256  # pictures that are scored after each epoch; what is reported is scored on all
TEACHER = "teacher"


# By student: the weights of the teacher's structure and of its answers.
STUDENTS = {
    "labels alone": (0.0, 0.0),
    "structure (PKDOT)": (0.6, 0.0),
    "answers": (0.0, 1.0),
}
BLIND = {"labels alone": (0.0, 0.0), "answers": (0.0, 1.0)}  # of a teacher that sees pictures alone


@dataclass
class Hits:
    """Which of the pictures were right, by model, for each seed; and log-likelihoods of the labels."""

    right: dict[tuple[str, str], list[Tensor]] = field(default_factory=dict)
    likely: dict[tuple[str, str], list[Tensor]] = field(default_factory=dict)

    @torch.no_grad()
    def note(self, key: tuple[str, str], model: nn.Module, inputs: tuple[Tensor, ...], labels: Tensor) -> None:
        """Score a model."""
        logits = model(*inputs)[0].double()
        self.right.setdefault(key, []).append((logits.argmax(dim=1) == labels).double())
        self.likely.setdefault(key, []).append(logits.log_softmax(dim=1).gather(1, labels[:, None])[:, 0])


def main() -> None:
    """Train everything, print the table, write the JSON."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with ferplus/")
    parser.add_argument("--run", type=Path, default=Path("runs/privileged_clips"), metavar="DIR")
    parser.add_argument("--train", type=int, default=4000, help="pictures to train on")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/privileged_clips.json)")
    options = parser.parse_args()
    recipe = read_recipe(RECIPE, PkdotRecipe, example=str(RECIPE))
    train, valid = ferplus_pairs(options.data, open_backbone(recipe.bundle), options.train)
    rows: list[Row] = []
    with Progress(Console()) as progress:
        for count in (len(train.labels), FEW):
            chosen = torch.randperm(len(train.labels), generator=torch.Generator().manual_seed(0))[:count]
            part = PairedFeatures(*(tensor[chosen] for tensor in train))
            # As many steps, however many pictures there are.
            epochs = round(recipe.optimiser.epochs * len(train.labels) / count)
            optimiser = msgspec.structs.replace(recipe.optimiser, epochs=epochs)
            scaled = msgspec.structs.replace(recipe, optimiser=optimiser)
            rows += _measured(scaled, (part, valid), options.run / str(count), options.seeds, progress)
    show("privileged distillation on FER+", [{name: str(value) for name, value in row.items()} for row in rows])
    print(write("privileged_clips", rows, options.out))


def _measured(recipe: PkdotRecipe, parts: Parts, folder: Path, seeds: int, progress: Progress) -> list[Row]:
    train, valid = parts
    hits = Hits()
    for seed in range(seeds):
        seeded = msgspec.structs.replace(recipe, seed=seed)
        for privilege, students in (("blendshapes", STUDENTS), ("nothing", BLIND)):
            sees = parts if privilege == "blendshapes" else tuple(one._replace(privileged=one.visual) for one in parts)
            context = training_context(folder / f"{privilege}_{seed}", progress, seed=seed)
            watched = PairedFeatures(*(tensor[:WATCHED] for tensor in sees[1]))
            trained = train_students(seeded, sees[0], watched, context, students)
            hits.note((privilege, TEACHER), trained[TEACHER][0], (valid.visual, sees[1].privileged), valid.labels)
            for name in students:
                hits.note((privilege, name), trained[name][0], (valid.visual,), valid.labels)
    return [_row(key, hits, len(train.labels), seeds) for key in hits.right]


def _row(key: tuple[str, str], hits: Hits, count: int, seeds: int) -> Row:
    privilege, name = key
    right, likely = (torch.stack(found[key]).mean(dim=0) for found in (hits.right, hits.likely))
    base = privilege, "labels alone"
    gains = [one - torch.stack(found[base]).mean(dim=0) for one, found in ((right, hits.right), (likely, hits.likely))]
    row: dict[str, object] = {
        "teacher_knows": privilege,
        "model": name,
        "labelled": count,
        "scored": len(right),
        "seeds": seeds,
        "accuracy": round(float(right.mean()), 4),
        "log_likelihood": round(float(likely.mean()), 4),
    }
    for title, gain in zip(("accuracy_gain", "likelihood_gain"), gains, strict=True):
        low, high = interval(gain)
        row |= {title: round(float(gain.mean()), 4), f"{title}_95": f"{low:+.4f} to {high:+.4f}"}
    return row


if __name__ == "__main__":
    main()
