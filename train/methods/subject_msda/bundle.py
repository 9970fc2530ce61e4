"""The recipe's head on a bundle's own clip vectors: pictures go in as the stream would see them, a bundle comes out.

Frame and clip encoder are those of a base bundle, whose clip vectors of stills are the features that the recipe trains
on. The written bundle has the base's two encoders, byte for byte, and the adapted head in place of the base's.
"""

from collections.abc import Mapping
from pathlib import Path

import torch

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER, GraphSpec, Manifest

from ...bundle.declared import changed, classes_head, trained_by
from ...bundle.on_clips import ALONE, head_on_clips
from ...bundle.writer import taken_over, write_bundle
from .model import AdaptedHead, ClipClasses
from .recipe import SubjectMsdaRecipe

HEAD = "expressions"


def clip_classes(model: AdaptedHead, recipe: SubjectMsdaRecipe, base: Bundle) -> ClipClasses | None:
    """The head on the base's clip vectors, or None where its features are not of their width.

    Drawn features are taken for as many coordinates of the clip vectors.
    """
    if recipe.data == "drawn" and model.dim <= base.clip_dim:
        square = torch.randn(base.clip_dim, model.dim, generator=torch.Generator().manual_seed(recipe.seed))
        return ClipClasses(model.cpu(), torch.linalg.qr(square).Q)
    return ClipClasses(model.cpu(), None) if model.dim == base.clip_dim else None


def export_head(
    head: ClipClasses, recipe: SubjectMsdaRecipe, base: Bundle, metrics: Mapping[str, float], target: Path
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    Raises:
        TrainingError: the graph computes something else than the head, or the result does not load.
    """
    classes = recipe.class_names or [f"class {number}" for number in range(recipe.classes)]
    data = [f"clip vectors of {base.manifest.label}", "labelled people", "unlabelled pictures of one person"]

    def describe(graphs: dict[str, GraphSpec]) -> Manifest:
        return changed(
            base.manifest,
            name=recipe.name,
            version="0.1",
            context=ALONE,
            heads=[classes_head(HEAD, classes)],
            graphs=graphs,
            training=trained_by(recipe.name, data, recipe.seed),
            metrics=dict(metrics),
        )

    graphs = taken_over(base, FRAME_ENCODER, CLIP_ENCODER) | {CONTEXT_HEAD: head_on_clips(head, base.clip_dim, HEAD)}
    return write_bundle(graphs, describe, target)
