"""PKDOT's student as a bundle: it sees, imagines the privileged feature, and fuses; the teacher stays behind."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER, Manifest

from ...bundle.declared import affect_head, classes_head, declared_on
from ...bundle.on_clips import ALONE, head_on_clips
from ...bundle.writer import taken_over, write_bundle
from ...data.backbone import VisualBackbone
from .recipe import PkdotRecipe, Task

CLASSES_HEAD = "classes"


def export_student(
    student: nn.Module, recipe: PkdotRecipe, backbone: VisualBackbone, metrics: Mapping[str, float], target: Path
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    student: clip vectors (N, V) → outputs (N, L), embedding

    Raises:
        TrainingError: the graph computes something else than the student, or the result does not load.
    """
    head = affect_head() if recipe.task == "affect" else classes_head(CLASSES_HEAD, recipe.names)
    graphs = {
        **taken_over(backbone.bundle, FRAME_ENCODER, CLIP_ENCODER),
        CONTEXT_HEAD: head_on_clips(_Answers(student.cpu(), recipe.task), backbone.dim, head.name),
    }
    declared = declared_on(
        backbone.bundle.manifest,
        name=recipe.name,
        version=recipe.version,
        licence=recipe.licence,
        seed=recipe.seed,
        data=[recipe.data],
        context=ALONE,
        heads=[head],
        metrics=metrics,
    )
    return write_bundle(graphs, declared.manifest, target)


class _Answers(nn.Module):
    """clips (N, V) → the student's outputs as they are published: probabilities, or values clipped to [-1, 1]."""

    def __init__(self, student: nn.Module, task: Task) -> None:
        super().__init__()
        self.student = student
        self.task = task

    def forward(self, clip: Tensor) -> Tensor:
        outputs: Tensor = self.student(clip)[0]
        return outputs.clamp(-1, 1) if self.task == "affect" else outputs.softmax(dim=1)
