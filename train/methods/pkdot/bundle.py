"""PKDOT's student as a bundle: it sees, imagines the privileged feature, and fuses; the teacher stays behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from streamaffect.runtime.manifest import CONTEXT_HEAD, ContextSpec, HeadSpec, Manifest, OutputSpec

from ...bundle.export import TracedGraph
from ...bundle.on_backbone import Declared, write_on_backbone
from ...data.backbone import VisualBackbone
from ..relational.model import AFFECT

if TYPE_CHECKING:
    from .recipe import PkdotRecipe

CLASSES = "classes"


def export_student(
    student: nn.Module, backbone: VisualBackbone, recipe: "PkdotRecipe", metrics: Mapping[str, float], target: Path
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    student: clip vectors (N, V) → outputs (N, L), embedding

    Raises:
        TrainingError: the graph computes something else than the student, or the result does not load.
    """
    clip = torch.randn(2, backbone.dim, generator=torch.Generator().manual_seed(0))
    examples = {"clip": clip, "context": clip.unsqueeze(1), "valid": torch.ones(2, 1, dtype=torch.bool)}
    if recipe.task == "affect":
        head = HeadSpec(AFFECT, "regression", [OutputSpec(name, (-1.0, 1.0)) for name in ("valence", "arousal")])
    else:
        shares = [OutputSpec(name, (0.0, 1.0), "probability") for name in recipe.names]
        head = HeadSpec(CLASSES, "classification", shares)
    graph = TracedGraph(_FromClip(student, is_affect=recipe.task == "affect"), examples, [head.name])
    declared = Declared(
        recipe=recipe.name,
        version=recipe.version,
        licence=recipe.licence,
        seed=recipe.seed,
        data=[recipe.data],
        context=ContextSpec(past=0, future=0),
        heads=[head],
        metrics=metrics,
    )
    return write_on_backbone(backbone, {CONTEXT_HEAD: graph}, declared, target)


class _FromClip(nn.Module):
    """The context is the clip itself; it is read where it is valid, so that the graph keeps a bundle's three inputs."""

    def __init__(self, student: nn.Module, *, is_affect: bool) -> None:
        super().__init__()
        self.student = student
        self.is_affect = is_affect

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> Tensor:
        outputs: Tensor = self.student(torch.where(valid, context[:, 0], clip))[0]
        return outputs.clamp(-1, 1) if self.is_affect else outputs.softmax(dim=1)
