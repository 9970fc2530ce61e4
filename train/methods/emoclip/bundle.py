"""EmoCLIP as a bundle: CLIP's vision tower for frames, the temporal transformer for clips, sentences as classes.

The sentences are embedded once. They are part of the head's graph, and lie beside it with their text: `sentences`.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from streamaffect.runtime.manifest import (
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    ClipSpec,
    CropSpec,
    HeadSpec,
    Manifest,
    OutputSpec,
)

from ...bundle.declared import Declared, classes_head
from ...bundle.graphs import TracedGraph, crop_examples, feature_examples
from ...bundle.on_clips import ALONE, head_on_clips
from ...bundle.writer import write_bundle
from .clip_towers import ClipTowers
from .data.reader import MARGIN
from .model import TemporalTransformer, zero_shot
from .recipe import EmoClipRecipe
from .sentences import SENTENCES, ClassSentences, pack_sentences
from .text_tower import TextTower, text_tower

ZERO_SHOT_HEAD, EMBEDDING_HEAD = "zero_shot", "embedding"


class Head(NamedTuple):
    """What reads a video's embedding: its graph from clip, context and valid, and how it is declared."""

    graph: TracedGraph
    spec: HeadSpec


def export_emoclip(
    towers: ClipTowers,
    temporal: TemporalTransformer,
    logit_scale: Tensor,
    classes: ClassSentences,
    *,
    recipe: EmoClipRecipe,
    metrics: Mapping[str, float],
    target: Path,
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    logit_scale: () learned logarithm of the factor on the cosines

    Raises:
        TrainingError: a graph computes something else than the model it was made from, or the result does not load.
    """
    head = zero_shot_head(classes, logit_scale)
    text = text_tower(towers, logit_scale)
    files = {SENTENCES: pack_sentences(classes, float(logit_scale.detach().exp()))}
    text = replace(text, files={**text.files, **files})
    return export_video_model(towers, temporal, head, recipe=recipe, metrics=metrics, target=target, text=text)


def export_video_model(
    towers: ClipTowers,
    temporal: TemporalTransformer,
    head: Head,
    *,
    recipe: EmoClipRecipe,
    metrics: Mapping[str, float],
    target: Path,
    text: TextTower | None = None,
) -> Manifest:
    """As `export_emoclip`, with any head. recipe: with the name and licence; text: what reads sentences."""
    text = text or TextTower()
    clip = ClipSpec(recipe.window, recipe.stride / recipe.fps)
    graphs = {
        FRAME_ENCODER: TracedGraph(towers, crop_examples(towers.side), ["features"]),
        CLIP_ENCODER: TracedGraph(temporal, feature_examples(clip.frames, towers.dim), ["clip"]),
        CONTEXT_HEAD: head.graph,
        **text.graphs,
    }
    axes = [OutputSpec(str(axis), (-1e6, 1e6)) for axis in range(towers.dim)]
    declared = Declared(
        name=recipe.name,
        licence=recipe.licence,
        seed=recipe.seed,
        data=[recipe.data, *([recipe.clip] if recipe.clip else [])],
        crop=CropSpec(towers.side, MARGIN, "none"),
        clip=clip,
        context=ALONE,
        heads=[head.spec, HeadSpec(EMBEDDING_HEAD, "embedding", axes, input="clip")],
        metrics=metrics,
    )
    return write_bundle(graphs, declared.manifest, target, files=text.files, more_keys=text.keys)


def zero_shot_head(classes: ClassSentences, logit_scale: Tensor) -> Head:
    """The head whose classes are sentences. logit_scale: () logarithm of the factor on the cosines."""
    read = _ZeroShot(classes.embeddings, logit_scale)
    graph = head_on_clips(read, classes.embeddings.shape[1], ZERO_SHOT_HEAD)
    return Head(graph, classes_head(ZERO_SHOT_HEAD, list(classes.sentences)))


class _ZeroShot(nn.Module):
    class_text: Tensor
    logit_scale: Tensor

    def __init__(self, class_text: Tensor, logit_scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("class_text", class_text)
        self.register_buffer("logit_scale", logit_scale.detach().cpu())

    def forward(self, video: Tensor) -> Tensor:
        return zero_shot(video, self.class_text, self.logit_scale)
