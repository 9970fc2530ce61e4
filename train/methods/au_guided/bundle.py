"""A guided classifier as a bundle: expressions in the stream, and one more graph, which draws the attention."""

from collections.abc import Mapping
from pathlib import Path

import torch
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
from ...data.drawn_faces import EXPRESSIONS
from ...models.frame_encoder import grey
from .model import SpatialClassifier
from .recipe import AuGuidedRecipe
from .spatial import attention_map

EXPRESSION_HEAD, ATTENTION_MAP = "expressions", "attention_map"
CLIP = ClipSpec(frames=4, period_s=0.08)
MARGIN = 0.1


def export_au_guided(
    model: SpatialClassifier, recipe: AuGuidedRecipe, metrics: Mapping[str, float], target: Path
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    Features of a clip are averaged before the classes are read. The graph `attention_map` takes crops and gives
    (N, 1, h, w): what the head "attention" of kind "map" declares.

    Raises:
        TrainingError: a graph computes something else than the model it was made from, or the result does not load.
    """
    crops, width = crop_examples(recipe.size), model.classify.in_features
    graphs = {
        FRAME_ENCODER: TracedGraph(_Features(model), crops, ["features"]),
        CLIP_ENCODER: TracedGraph(_Mean(), feature_examples(CLIP.frames, width), ["clip"]),
        CONTEXT_HEAD: head_on_clips(_Expressions(model), width, EXPRESSION_HEAD),
        ATTENTION_MAP: TracedGraph(_Attention(model), crops, ["attention"]),
    }
    declared = Declared(
        name=recipe.name,
        licence=recipe.licence,
        seed=recipe.seed,
        data=[recipe.data_set or recipe.data],
        crop=CropSpec(recipe.size, MARGIN, "roll"),
        clip=CLIP,
        context=ALONE,
        heads=[
            classes_head(EXPRESSION_HEAD, [name.lower() for name in EXPRESSIONS]),
            HeadSpec("attention", "map", [OutputSpec("attention", (0.0, float("1e6")))], input="frame"),
        ],
        metrics=metrics,
    )
    return write_bundle(graphs, declared.manifest, target)


class _OnCrops(nn.Module):
    """Crops (N, S, S, 3) uint8 RGB to the maps of the last layer."""

    def __init__(self, model: SpatialClassifier) -> None:
        super().__init__()
        self.model = model

    def maps(self, crops: Tensor) -> Tensor:
        features: Tensor = self.model(grey(crops)).features
        return features


class _Features(_OnCrops):
    def forward(self, crops: Tensor) -> Tensor:
        return self.maps(crops).mean(dim=(2, 3))


class _Attention(_OnCrops):
    def forward(self, crops: Tensor) -> Tensor:
        return attention_map(self.maps(crops))


class _Mean(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.mean(dim=1)


class _Expressions(nn.Module):
    def __init__(self, model: SpatialClassifier) -> None:
        super().__init__()
        self.classify = model.classify

    def forward(self, clip: Tensor) -> Tensor:
        return torch.softmax(self.classify(clip), dim=1)
