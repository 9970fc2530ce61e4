"""A run of PKDOT: a teacher has both modalities, a student sees alone, with and without the structure loss.

Three things are trained one after the other: the teacher, the network that hallucinates the privileged feature, and the
student; then a second student without the structure loss, as the baseline. Where the privileged modality comes as
spectrograms, its backbone is trained before them all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...audiovisual.hearing import listen, train_hearing
from ...data.backbone import open_backbone
from ...data.labelled_clips import AFFECT_LABELS
from ...loop.context import Context, Report
from ...loop.tensor_task import Batch, TensorTask
from ...losses import ccc_loss
from ...metrics.classification import uar, war
from ...metrics.regression import ccc
from .bundle import export_student
from .data import PairedFeatures, Parts, load_pairs
from .loss import pkdot_loss
from .model import HallucinationNetwork, PrivilegedFusion, Student
from .recipe import PkdotRecipe

Losses = dict[str, Tensor]
TEMPERATURE = 2.0  # of the teacher's answers
Scores = dict[str, float]


def run(recipe: PkdotRecipe, context: Context) -> Report:
    """Train all parts, or go on from the newest checkpoints; returns the scores of the validation part.

    Where there is a visual backbone, the student's bundle is written.

    Raises DataError if the data are missing or not as described, TrainingError if the bundle cannot be written.
    """
    backbone = open_backbone(recipe.bundle) if recipe.bundle else None
    train, valid = load_pairs(recipe, backbone, context)
    if train.privileged.ndim == 3:
        train, valid = encode_privileged(recipe, train, valid, context)
    trained = train_parts(recipe, train, valid, context)
    scores = {f"{part}_{score}": value for part, (_, scores) in trained.items() for score, value in scores.items()}
    if backbone is not None:
        context.export(lambda target: export_student(trained["student"][0], recipe, backbone, scores, target))
    return {**scores}


def encode_privileged(recipe: PkdotRecipe, train: PairedFeatures, valid: PairedFeatures, context: Context) -> Parts:
    """Spectrograms to features, by a backbone that is trained on the labels first."""
    assert recipe.hearing is not None
    train, valid = (PairedFeatures(*context.fabric.to_device(part)) for part in (train, valid))
    encoder = train_hearing(
        recipe.hearing, (train.privileged, train.labels), (valid.privileged, valid.labels),
        lambda outputs, labels: _task_loss(recipe, outputs, labels), context, outputs=recipe.outputs,
    )  # fmt: skip
    return (
        train._replace(privileged=listen(encoder, train.privileged)),
        valid._replace(privileged=listen(encoder, valid.privileged)),
    )


def train_parts(
    recipe: PkdotRecipe, train: PairedFeatures, valid: PairedFeatures, context: Context
) -> dict[str, tuple[nn.Module, Scores]]:
    """The averaged models `teacher`, `student` and `student_without_structure`, with their scores on `valid`."""
    weights = {"student": (recipe.structure, recipe.answers), "student_without_structure": (0.0, 0.0)}
    return train_students(recipe, train, valid, context, weights)


def train_students(
    recipe: PkdotRecipe,
    train: PairedFeatures,
    valid: PairedFeatures,
    context: Context,
    weights: Mapping[str, tuple[float, float]],
) -> dict[str, tuple[nn.Module, Scores]]:
    """The averaged model `teacher`, and by name a student for each pair of weights, with their scores on `valid`.

    weights: of the teacher's structure and of its answers; at (0, 0) the labels alone teach
    """
    train, valid = (PairedFeatures(*context.fabric.to_device(part)) for part in (train, valid))
    parts = _Parts(recipe, train, valid, context)
    teacher = parts.teacher()
    hallucination = parts.hallucination()
    students = {
        name: parts.student(name, hallucination, teacher[0], structure, answers)
        for name, (structure, answers) in weights.items()
    }
    return {"teacher": teacher, **students}


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is trained, one after the other, on the same data."""

    recipe: PkdotRecipe
    train: PairedFeatures
    valid: PairedFeatures
    context: Context

    def teacher(self) -> tuple[nn.Module, Scores]:
        """Both modalities, by the labels."""

        def losses(module: nn.Module, batch: Batch) -> Losses:
            visual, privileged, labels = batch
            return _task_loss(self.recipe, module(visual, privileged)[0], labels)

        def validate(module: nn.Module) -> Scores:
            return _scores(self.recipe, module(self.valid.visual, self.valid.privileged)[0], self.valid.labels)

        return self._fit("teacher", self._fusion(), self.train, losses, validate)

    def hallucination(self) -> nn.Module:
        """The privileged feature from the visual one, by squared error."""

        def losses(module: nn.Module, batch: Batch) -> Losses:
            return {"squared_error": F.mse_loss(module(batch[0]), batch[1])}

        def validate(module: nn.Module) -> Scores:
            return {"squared_error": float(F.mse_loss(module(self.valid.visual), self.valid.privileged))}

        model = HallucinationNetwork(self.train.visual.shape[1], outputs=self.train.privileged.shape[1])
        return self._fit("hallucination", model, self.train, losses, validate)[0]

    def student(
        self, name: str, hallucination: nn.Module, teacher: nn.Module, structure: float, answers: float
    ) -> tuple[nn.Module, Scores]:
        """Vision alone, by the labels and, weighted, the teacher's structure and answers; the same start for all."""
        with torch.no_grad():
            taught, embedded = teacher(self.train.visual, self.train.privileged)
            aim = teacher(self.valid.visual, self.valid.privileged)[1]

        def losses(module: nn.Module, batch: Batch) -> Losses:
            visual, _, labels, answers_of_teacher, embedding_of_teacher = batch
            outputs, embedding = module(visual)
            parts = _task_loss(self.recipe, outputs, labels)
            if structure > 0:
                parts["structure"] = structure * self._structure(embedding_of_teacher, embedding)
            if answers > 0:
                parts["answers"] = answers * _answers_loss(self.recipe, outputs, answers_of_teacher)
            return parts

        def validate(module: nn.Module) -> Scores:
            outputs, embedding = module(self.valid.visual)
            distance = float(self._structure(aim, embedding))
            return _scores(self.recipe, outputs, self.valid.labels) | {"structure_distance": distance}

        model = Student(hallucination, self._fusion())
        return self._fit(name, model, (*self.train, taught, embedded), losses, validate)

    def _fusion(self) -> PrivilegedFusion:
        torch.manual_seed(self.recipe.seed)
        visual_dim, privileged_dim = self.train.visual.shape[1], self.train.privileged.shape[1]
        return PrivilegedFusion(
            self.recipe.dim or visual_dim, self.recipe.outputs, visual_dim=visual_dim, privileged_dim=privileged_dim,
            heads=self.recipe.heads,
        )  # fmt: skip

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
        """The averaged model of this part and its scores."""
        optimiser = self.recipe.optimiser
        task = TensorTask(model, tensors, losses, validate, batch=optimiser.batch, seed=self.recipe.seed)
        trained = self.context.fit(task, optimiser, f"training/{name}").eval()
        return trained, task.validate(trained)


def _task_loss(recipe: PkdotRecipe, outputs: Tensor, labels: Tensor) -> Losses:
    if recipe.task == "affect":
        return {"concordance": ccc_loss(outputs, labels)}
    return {"cross_entropy": F.cross_entropy(outputs, labels)}


def _answers_loss(recipe: PkdotRecipe, outputs: Tensor, answers: Tensor) -> Tensor:
    """How far the student's answers are from the teacher's, softened (Hinton et al. 2015, equations 2 to 4)."""
    if recipe.task == "affect":
        return F.mse_loss(outputs, answers)
    soft = (answers / TEMPERATURE).softmax(dim=1)
    return TEMPERATURE**2 * F.cross_entropy(outputs / TEMPERATURE, soft)


def _scores(recipe: PkdotRecipe, outputs: Tensor, labels: Tensor) -> Scores:
    if recipe.task == "affect":
        return {f"ccc_{name}": float(value) for name, value in zip(AFFECT_LABELS, ccc(outputs, labels), strict=True)}
    guess = outputs.argmax(dim=1)
    return {"accuracy": float(war(guess, labels)), "mean_recall": float(uar(guess, labels))}
