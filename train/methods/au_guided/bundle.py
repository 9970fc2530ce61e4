"""A guided classifier as a bundle: expressions in the stream, and one more graph, which draws the attention."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from streamaffect.runtime.manifest import (
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    SCHEMA,
    ClipSpec,
    ContextSpec,
    CropSpec,
    GraphSpec,
    HeadSpec,
    Manifest,
    OutputSpec,
    TrainingSpec,
)

from ...bundle.card import model_card
from ...bundle.export import TracedGraph, write_bundle
from ...data.drawn_faces import EXPRESSIONS
from ...loop.run_record import current_commit
from ...models.frame_encoder import grey
from .model import SpatialClassifier
from .spatial import attention_map

if TYPE_CHECKING:
    from .recipe import AuGuidedRecipe

EXPRESSION_HEAD, ATTENTION_MAP = "expressions", "attention_map"
CLIP = ClipSpec(frames=4, period_s=0.08)
CONTEXT = ContextSpec(past=0, future=0)
MARGIN = 0.1


def export_au_guided(
    model: SpatialClassifier, recipe: "AuGuidedRecipe", metrics: Mapping[str, float], target: Path
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    Features of a clip are averaged before the classes are read. The graph `attention_map` takes crops and gives
    (N, 1, h, w): what the head "attention" of kind "map" declares. A file `notes.md` beside the bundle becomes part of
    its card.

    Raises:
        TrainingError: a graph computes something else than the model it was made from, or the result does not load.
    """
    generator = torch.Generator().manual_seed(0)
    crops = torch.randint(0, 256, (2, recipe.size, recipe.size, 3), dtype=torch.uint8, generator=generator)
    width = model.classify.in_features
    features = torch.randn(2, CLIP.frames, width, generator=generator)
    head = {"clip": features[:, 0], "context": features[:, :1], "valid": torch.ones(2, 1, dtype=torch.bool)}
    graphs = {
        FRAME_ENCODER: TracedGraph(_Features(model), {"crops": crops}, ["features"]),
        CLIP_ENCODER: TracedGraph(_Mean(), {"features": features}, ["clip"]),
        CONTEXT_HEAD: TracedGraph(_Expressions(model), head, [EXPRESSION_HEAD]),
        ATTENTION_MAP: TracedGraph(_Attention(model), {"crops": crops}, ["attention"]),
    }
    return write_bundle(
        graphs,
        target,
        lambda specs: _manifest(recipe, specs, dict(metrics)),
        lambda manifest: model_card(manifest, target.with_name("notes.md")),
    )


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
    """The context is the clip itself; it is averaged in, so that the graph keeps the three inputs of a bundle."""

    def __init__(self, model: SpatialClassifier) -> None:
        super().__init__()
        self.classify = model.classify

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> Tensor:
        weight = valid.unsqueeze(2).to(clip.dtype)
        mean = (clip + (weight * context).sum(dim=1)) / (1 + weight.sum(dim=1))
        return torch.softmax(self.classify(mean), dim=1)


def _manifest(recipe: "AuGuidedRecipe", graphs: dict[str, GraphSpec], metrics: dict[str, object]) -> Manifest:
    shares = [OutputSpec(name.lower(), (0.0, 1.0), "probability") for name in EXPRESSIONS]
    return Manifest(
        schema=SCHEMA,
        name=recipe.name,
        version="0.1",
        licence=recipe.licence,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        crop=CropSpec(recipe.size, MARGIN, "roll"),
        clip=CLIP,
        context=CONTEXT,
        heads=[
            HeadSpec(EXPRESSION_HEAD, "classification", shares),
            HeadSpec("attention", "map", [OutputSpec("attention", (0.0, float("1e6")))], input="frame"),
        ],
        graphs=graphs,
        training=TrainingSpec(recipe.name, [recipe.data_set or recipe.data], current_commit(Path(__file__).parent),
                              recipe.seed),
        metrics=metrics,
    )  # fmt: skip
