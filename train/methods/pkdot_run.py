"""The recipe of PKDOT on features: a teacher sees both modalities, a student one, with and without the structure loss.

Three things are trained one after the other: the teacher, the network that hallucinates the privileged feature, and the
student; then a second student without the structure loss, as the baseline.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..classification import uar, war
from ..config import Count, OptimiserConfig
from ..data.feature_files import load_features
from ..loop import fit
from ..losses import pkdot_loss
from ..models.pkdot import HallucinationNetwork, PrivilegedFusion
from ..progress import Progress
from .tensor_task import Batch, TensorTask

Losses = dict[str, Tensor]
Scores = dict[str, float]


class PkdotRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="pkdot"):
    """Everything that defines the run, but for the data's folder.

    data:      "features" reads `train` and `val` below `--data`, each with `visual` (N, D), `privileged` (N, D) and
               `labels` (N,); "drawn" makes a clear privileged and a blurred visual feature
    heads:     of the fusion. anchors: k of the structure loss
    structure: weight of the structure loss. blur: of the transport
    drawn, drawn_dim: samples and D of "drawn"
    """

    name: str
    seed: int
    data: Literal["drawn", "features"]
    classes: Count
    optimiser: OptimiserConfig
    heads: Count = 2
    anchors: Count = 30
    structure: float = 0.6
    blur: float = 0.1
    drawn: Count = 600
    drawn_dim: Count = 16


class PairedFeatures(NamedTuple):
    """visual (N, D), privileged (N, D), labels (N,) int64."""

    visual: Tensor
    privileged: Tensor
    labels: Tensor


class Student(nn.Module):
    """The fusion with a hallucinated second modality: visual (B, D) → logits (B, K), embedding (B, D)."""

    def __init__(self, hallucination: nn.Module, fusion: PrivilegedFusion) -> None:
        super().__init__()
        self.hallucination = hallucination
        self.fusion = fusion

    def forward(self, visual: Tensor) -> tuple[Tensor, Tensor]:
        """See and imagine, then fuse."""
        logits, embedding = self.fusion(visual, self.hallucination(visual))
        return logits, embedding


def run(recipe: PkdotRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress) -> dict[str, float]:
    """Train all parts, or go on from the newest checkpoints; returns the scores of the validation part.

    Raises DataError if the data are missing or not as described.
    """
    train, valid = _load(recipe, root)
    trained = train_parts(recipe, train, valid, folder, fabric=fabric, progress=progress)
    return {f"{part}_{score}": value for part, (_, scores) in trained.items() for score, value in scores.items()}


def train_parts(
    recipe: PkdotRecipe,
    train: PairedFeatures,
    valid: PairedFeatures,
    folder: Path,
    *,
    fabric: Fabric,
    progress: Progress,
) -> dict[str, tuple[nn.Module, Scores]]:
    """The averaged models `teacher`, `student` and `student_without_structure`, with their scores on `valid`."""
    train, valid = (PairedFeatures(*fabric.to_device(part)) for part in (train, valid))
    parts = _Parts(recipe, train, valid, folder, fabric, progress)
    teacher = parts.teacher()
    hallucination = parts.hallucination()
    return {
        "teacher": teacher,
        "student": parts.student("student", hallucination, teacher[0], recipe.structure),
        "student_without_structure": parts.student("student_without_structure", hallucination, teacher[0], 0.0),
    }


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is trained, one after the other, on the same data."""

    recipe: PkdotRecipe
    train: PairedFeatures
    valid: PairedFeatures
    folder: Path
    fabric: Fabric
    progress: Progress

    def teacher(self) -> tuple[nn.Module, Scores]:
        """Both modalities, by cross-entropy."""

        def losses(module: nn.Module, batch: Batch) -> Losses:
            visual, privileged, labels = batch
            return {"cross_entropy": F.cross_entropy(module(visual, privileged)[0], labels)}

        def validate(module: nn.Module) -> Scores:
            return _scores(module(self.valid.visual, self.valid.privileged)[0], self.valid.labels)

        return self._fit("teacher", self._fusion(), self.train, losses, validate)

    def hallucination(self) -> nn.Module:
        """The privileged feature from the visual one, by squared error."""

        def losses(module: nn.Module, batch: Batch) -> Losses:
            return {"squared_error": F.mse_loss(module(batch[0]), batch[1])}

        def validate(module: nn.Module) -> Scores:
            return {"squared_error": float(F.mse_loss(module(self.valid.visual), self.valid.privileged))}

        model = HallucinationNetwork(self.train.visual.shape[1])
        return self._fit("hallucination", model, self.train, losses, validate)[0]

    def student(
        self, name: str, hallucination: nn.Module, teacher: nn.Module, structure: float
    ) -> tuple[nn.Module, Scores]:
        """Vision alone, by cross-entropy and, weighted, the teacher's structure; the same start for every weight."""
        with torch.no_grad():
            taught = teacher(self.train.visual, self.train.privileged)[1]
            aim = teacher(self.valid.visual, self.valid.privileged)[1]

        def losses(module: nn.Module, batch: Batch) -> Losses:
            visual, _, labels, embedding_of_teacher = batch
            logits, embedding = module(visual)
            parts = {"cross_entropy": F.cross_entropy(logits, labels)}
            if structure > 0:
                parts["structure"] = structure * self._structure(embedding_of_teacher, embedding)
            return parts

        def validate(module: nn.Module) -> Scores:
            logits, embedding = module(self.valid.visual)
            return _scores(logits, self.valid.labels) | {"structure_distance": float(self._structure(aim, embedding))}

        model = Student(hallucination, self._fusion())
        return self._fit(name, model, (*self.train, taught), losses, validate)

    def _fusion(self) -> PrivilegedFusion:
        torch.manual_seed(self.recipe.seed)
        return PrivilegedFusion(self.train.visual.shape[1], self.recipe.classes, heads=self.recipe.heads)

    def _structure(self, teacher: Tensor, student: Tensor) -> Tensor:
        return pkdot_loss(teacher, student, topk=self.recipe.anchors, blur=self.recipe.blur)

    def _fit(
        self,
        name: str,
        model: nn.Module,
        tensors: Sequence[Tensor],
        losses: Callable[[nn.Module, Batch], Losses],
        validate: Callable[[nn.Module], Scores],
    ) -> tuple[nn.Module, Scores]:
        """The averaged model and its scores."""
        optimiser = self.recipe.optimiser
        task = TensorTask(model, tensors, losses, validate, batch=optimiser.batch, seed=self.recipe.seed)
        trained = fit(task, optimiser, self.folder / name, fabric=self.fabric, progress=self.progress).eval()
        return trained, task.validate(trained)


def _load(recipe: PkdotRecipe, root: Path | None) -> tuple[PairedFeatures, PairedFeatures]:
    if recipe.data == "drawn":
        return _drawn(recipe, recipe.drawn, recipe.seed), _drawn(recipe, max(50, recipe.drawn // 2), recipe.seed + 1)
    expected = {"visual": "NF", "privileged": "NF", "labels": "N int"}
    train, valid = (PairedFeatures(**load_features(root, part, expected)) for part in ("train", "val"))
    return train, valid


def _drawn(recipe: PkdotRecipe, count: int, seed: int) -> PairedFeatures:
    """A clear privileged feature and a blurred visual one of the same hidden state, which also varies in a class."""
    centres = torch.randn(recipe.classes, recipe.drawn_dim, generator=torch.Generator().manual_seed(recipe.seed))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(recipe.classes, (count,), generator=generator)
    state, blur = torch.randn(2, count, recipe.drawn_dim, generator=generator)
    state = centres[labels] + 0.5 * state
    return PairedFeatures(state + 1.5 * blur, state, labels)


def _scores(logits: Tensor, labels: Tensor) -> Scores:
    guess = logits.argmax(dim=1)
    return {"accuracy": float(war(guess, labels)), "mean_recall": float(uar(guess, labels))}
