"""A video classifier as a bundle: the score of every class for a clip, and softmax pooling over the clips of a context.

The network's convolutions over time see neighbouring frames, so that most of it cannot be computed frame by frame:

frame_encoder  the stages that see each frame alone (`inflate_from`); of the published network none, and what it hands
               on are the grey levels themselves, brought to the network's scale
clip_encoder   the inflated stages, the scores of the frames, and their largest: the K scores of the clip of F frames,
               exactly as in training
context_head   those scores pooled with `pooling_weights` over the clips that exist, and the classes' probabilities

In evaluation clips begin at every frame; in the stream they follow one another without overlap.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from streamaffect.runtime.manifest import (
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    ClipSpec,
    ContextSpec,
    CropSpec,
    HeadSpec,
    Manifest,
    OutputSpec,
)

from ...bundle.declared import Declared, classes_head
from ...bundle.graphs import Graph, TracedGraph, crop_examples, feature_examples, head_examples
from ...bundle.writer import write_bundle
from ...models.frame_encoder import grey
from .model import VideoClassifier
from .pooling import clip_scores, pooling_weights
from .recipe import StochasticSoftmaxRecipe

EXPRESSION_HEAD, EVIDENCE_HEAD = "expressions", "evidence"


def export_stochastic_softmax(
    network: VideoClassifier, recipe: StochasticSoftmaxRecipe, metrics: Mapping[str, float], target: Path
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    The head "evidence" says how much each clip of the context counted, newest first: the pooling's weights, averaged
    over the classes by their probability.

    Raises:
        TrainingError: a graph computes something else than the network it was made from, or the result does not load.
    """
    network = network.cpu().eval()
    crops, context = crop_examples(recipe.size), ContextSpec(recipe.past, 0)
    frame_encoder = _Frames(network)
    with torch.no_grad():
        width = frame_encoder(crops["crops"]).shape[1]
    graphs: dict[str, Graph] = {
        FRAME_ENCODER: TracedGraph(frame_encoder, crops, ["features"]),
        CLIP_ENCODER: TracedGraph(_ClipScores(network), feature_examples(recipe.frames, width), ["clip"]),
        CONTEXT_HEAD: TracedGraph(
            _Pooled(recipe.beta), head_examples(len(recipe.classes), context), [EXPRESSION_HEAD, EVIDENCE_HEAD]
        ),
    }
    clips = ["newest", *(f"{age}_before" for age in range(1, recipe.past + 1))]
    declared = Declared(
        name=recipe.name,
        licence=recipe.licence,
        seed=recipe.seed,
        data=[recipe.data],
        crop=CropSpec(recipe.size, recipe.margin, "roll"),
        clip=ClipSpec(recipe.frames, recipe.period_s),
        context=context,
        heads=[
            classes_head(EXPRESSION_HEAD, [name.lower() for name in recipe.classes]),
            HeadSpec(EVIDENCE_HEAD, "regression", [OutputSpec(name, (0.0, 1.0), "share") for name in clips]),
        ],
        metrics=metrics,
    )
    return write_bundle(graphs, declared.manifest, target)


class _Frames(nn.Module):
    """Crops (N, S, S, 3) uint8 RGB to what the network computes of each frame alone (N, D)."""

    def __init__(self, network: VideoClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return self.network.encode_frames(grey(crops))


class _ClipScores(nn.Module):
    """The frames of one clip (N, F, D) to its scores (N, K)."""

    def __init__(self, network: VideoClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        return clip_scores(self.network.score_frames(features), features.shape[1])[:, :, 0]


class _Pooled(nn.Module):
    """The clips' scores to the classes' probabilities (N, K), and to each clip's share in them (N, clips)."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        # The newest clip is the last one of its own context.
        scores = torch.cat([context[:, :-1], clip.unsqueeze(1)], dim=1).transpose(1, 2)  # (N, K, clips)
        weights = pooling_weights(scores, beta=self.beta, valid=valid)
        probabilities = torch.softmax((scores * weights).sum(dim=2), dim=1)
        evidence = (weights * probabilities.unsqueeze(2)).sum(dim=1)
        return probabilities, evidence.flip(1)
