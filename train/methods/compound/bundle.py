"""The feature-based model for compound emotions as a bundle that follows a stream of faces, with or without the rest.

Nothing in the model looks ahead, and a frame's logits depend on no more than its receptive field: a clip of so many
frames gives exactly what the whole video gives for its last one.

frame_encoder   that of another bundle, with whose features the model was trained
clip_encoder    the leader's convolutions over the clip, read at its newest frame
context_head    "compound", the classes of the newest frame with all other modalities absent, and "compound_video",
                the mean of the probabilities over the clips of the context, the rule by which a video gets its class
further graphs  `clip_encoder_<modality>`, features (N, T, C) → clip (N, W), for each follower; and `modalities_head`,
                which takes the clip vector of every modality by its name and `present` bool (N, M), in the order of
                its inputs, and gives "compound". The stream does not run these; a reader that has the sound or the
                words does
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.manifest import (
    CLIP_ENCODER,
    CONTEXT_HEAD,
    FRAME_ENCODER,
    ClipSpec,
    ContextSpec,
    CropSpec,
    Manifest,
)

from ...bundle.declared import Declared, classes_head
from ...bundle.graphs import Graph, TracedGraph, crop_examples, feature_examples, head_examples
from ...bundle.writer import write_bundle
from ...errors import DataError
from ...models.frame_encoder import FrameEncoder
from .model import LFAN
from .recipe import CompoundRecipe

COMPOUND_HEAD, VIDEO_HEAD = "compound", "compound_video"
MODALITIES_HEAD, PRESENT = "modalities_head", "present"
RANDOM_CROP = CropSpec(size=48, margin=0.1, align="roll")


def export_compound(model: LFAN, recipe: CompoundRecipe, metrics: Mapping[str, float], target: Path) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    Raises:
        BundleError: `recipe.encoder` is no bundle. DataError: its features are not as wide as the leader's.
        TrainingError: a graph computes something else than the model it was made from, or the result does not load.
    """
    model = model.cpu().eval()
    frame_encoder, crop, origin = _frame_encoder(recipe)
    context = ContextSpec(recipe.past, 0)
    classes = [name.lower().replace(" ", "_") for name in recipe.emotions]
    declared = Declared(
        name=recipe.name,
        licence=recipe.licence,
        seed=recipe.seed,
        data=[recipe.data, origin],
        crop=crop,
        clip=ClipSpec(model.receptive_field, recipe.period_s),
        context=context,
        heads=[classes_head(name, classes) for name in (COMPOUND_HEAD, VIDEO_HEAD)],
        metrics=metrics,
    )
    return write_bundle({FRAME_ENCODER: frame_encoder, **_graphs(model, recipe, context)}, declared.manifest, target)


def follower_graph(modality: str) -> str:
    """The role of the graph that encodes a clip of this modality."""
    return f"{CLIP_ENCODER}_{modality}"


def _frame_encoder(recipe: CompoundRecipe) -> tuple[Graph, CropSpec, str]:
    """The graph, its crop, and where it comes from."""
    leader, width = next(iter(recipe.inputs.items()))
    if recipe.encoder:
        bundle = load_bundle(recipe.encoder)
        if bundle.feature_dim != width:
            raise DataError(f"{recipe.encoder}: its frame encoder gives {bundle.feature_dim} numbers, the recipe's "
                            f"inputs.{leader} is {width}")  # fmt: skip
        return bundle.graph_path(FRAME_ENCODER), bundle.manifest.crop, f"frame encoder of {bundle.manifest.label}"
    torch.manual_seed(recipe.seed)
    encoder = FrameEncoder(width, widths=(4,), depths=(1,))
    graph = TracedGraph(encoder, crop_examples(RANDOM_CROP.size), ["features"])
    return graph, RANDOM_CROP, "frame encoder with random weights"


def _graphs(model: LFAN, recipe: CompoundRecipe, context: ContextSpec) -> dict[str, Graph]:
    """All but the frame encoder."""
    leader, *followers = model.modalities

    def clip_encoder(name: str) -> TracedGraph:
        features = feature_examples(model.receptive_field, recipe.inputs[name])
        return TracedGraph(_NewestFrame(model, name), features, ["clip"])

    head = head_examples(model.widths[leader], context)
    return {
        CLIP_ENCODER: clip_encoder(leader),
        CONTEXT_HEAD: TracedGraph(_LeaderAlone(model), head, [COMPOUND_HEAD, VIDEO_HEAD]),
        **{follower_graph(name): clip_encoder(name) for name in followers},
        MODALITIES_HEAD: TracedGraph(_AllModalities(model), _modality_examples(model), [COMPOUND_HEAD]),
    }


def _modality_examples(model: LFAN) -> dict[str, Tensor]:
    """Two rows of every modality's clip vector; in the second one the leader alone is present."""
    generator = torch.Generator().manual_seed(0)
    clips = {name: torch.randn(2, width, generator=generator) for name, width in model.widths.items()}
    present = torch.ones(2, len(clips), dtype=torch.bool)
    present[1, 1:] = False
    return {**clips, PRESENT: present}


class _NewestFrame(nn.Module):
    """A clip of one modality (N, T, C) to what its newest frame is encoded as (N, W)."""

    def __init__(self, model: LFAN, name: str) -> None:
        super().__init__()
        self.model = model
        self.name = name

    def forward(self, features: Tensor) -> Tensor:
        return self.model.encode_modality(self.name, features)[:, -1]


class _LeaderAlone(nn.Module):
    """Classes of the newest frame (N, K), and their mean over the clips of the context that exist."""

    def __init__(self, model: LFAN) -> None:
        super().__init__()
        self.model = model

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        # The newest clip is the last one of its own context.
        classes = self._classes(torch.cat([context[:, :-1], clip.unsqueeze(1)], dim=1))
        weight = valid.unsqueeze(2).to(classes.dtype)
        return classes[:, -1], (weight * classes).sum(dim=1) / weight.sum(dim=1)

    def _classes(self, leader: Tensor) -> Tensor:
        """(N, clips, W) → (N, clips, K)."""
        first, *followers = self.model.widths.items()
        encoded = {first[0]: leader} | {name: leader.new_zeros(*leader.shape[:2], width) for name, width in followers}
        present = torch.zeros(*leader.shape[:2], len(encoded), dtype=torch.bool)
        present[:, :, 0] = True
        return self.model.fuse(encoded, present).softmax(dim=2)


class _AllModalities(nn.Module):
    """The clip vectors of all modalities, (N, W_m) each, and present (N, M), to the classes (N, K)."""

    def __init__(self, model: LFAN) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Tensor:
        *clips, present = inputs
        encoded = {name: clip.unsqueeze(1) for name, clip in zip(self.model.modalities, clips, strict=True)}
        return self.model.fuse(encoded, present.unsqueeze(1))[:, 0].softmax(dim=1)
