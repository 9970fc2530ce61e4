"""EmoCLIP as a bundle: CLIP's vision tower for frames, the temporal transformer for clips, sentences as classes.

The sentences are embedded once. They are part of the head's graph, and lie beside it with their text in
`sentences.npz`: `names` and `sentences` (K,), `embeddings` (K, D) of length 1, `scale`, the factor on the cosines.
"""

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
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

from ..card import model_card
from ..export import TracedGraph, current_commit, write_bundle
from ..models.clip_towers import ClipTowers
from ..models.emoclip import TemporalTransformer, zero_shot

ZERO_SHOT_HEAD, EMBEDDING_HEAD = "zero_shot", "embedding"
SENTENCES = "sentences.npz"
MARGIN = 0.2


def export_emoclip(
    towers: ClipTowers,
    temporal: TemporalTransformer,
    logit_scale: Tensor,
    sentences: Mapping[str, str],
    target: Path,
    *,
    clip: ClipSpec,
    training: TrainingSpec,
    licence: str,
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there.

    logit_scale: () learned logarithm of the factor on the cosines. sentences: name of each class → what describes it

    Raises:
        TrainingError: a graph computes something else than the model it was made from, or the result does not load.
    """
    class_text = F.normalize(towers.sentences(list(sentences.values())), dim=1)
    generator = torch.Generator().manual_seed(0)
    crops = torch.randint(0, 256, (2, towers.side, towers.side, 3), dtype=torch.uint8, generator=generator)
    features = torch.randn(2, clip.frames, towers.dim, generator=generator)
    head = {"clip": features[:, 0], "context": features[:, :1], "valid": torch.ones(2, 1, dtype=torch.bool)}
    graphs = {
        FRAME_ENCODER: TracedGraph(towers, {"crops": crops}, ["features"]),
        CLIP_ENCODER: TracedGraph(temporal, {"features": features}, ["clip"]),
        CONTEXT_HEAD: TracedGraph(_ZeroShot(class_text, logit_scale), head, [ZERO_SHOT_HEAD]),
    }

    def describe(specs: dict[str, GraphSpec]) -> Manifest:
        shares = [OutputSpec(name, (0.0, 1.0), "probability") for name in sentences]
        axes = [OutputSpec(str(axis), (-1e6, 1e6)) for axis in range(towers.dim)]
        return Manifest(
            schema=SCHEMA,
            name="emoclip",
            version="0.1",
            licence=licence,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            crop=CropSpec(towers.side, MARGIN, "none"),
            clip=clip,
            context=ContextSpec(past=0, future=0),
            heads=[
                HeadSpec(ZERO_SHOT_HEAD, "classification", shares),
                HeadSpec(EMBEDDING_HEAD, "embedding", axes, input="clip"),
            ],
            graphs=specs,
            training=training,
        )

    files = {SENTENCES: _packed(sentences, class_text, logit_scale)}
    return write_bundle(
        graphs, target, describe, lambda manifest: model_card(manifest, target.with_name("notes.md")), files
    )


def training_spec(recipe: str, data: list[str], seed: int) -> TrainingSpec:
    """Where the weights came from, with the commit of this checkout."""
    return TrainingSpec(recipe, data, current_commit(Path(__file__).parent), seed)


class _ZeroShot(nn.Module):
    """The context is the clip itself; it is averaged in, so that the graph keeps the three inputs of a bundle."""

    class_text: Tensor
    logit_scale: Tensor

    def __init__(self, class_text: Tensor, logit_scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("class_text", class_text)
        self.register_buffer("logit_scale", logit_scale.detach())

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> Tensor:
        weight = valid.unsqueeze(2).to(clip.dtype)
        mean = (clip + (weight * context).sum(dim=1)) / (1 + weight.sum(dim=1))
        return zero_shot(mean, self.class_text, self.logit_scale)


def _packed(sentences: Mapping[str, str], class_text: Tensor, logit_scale: Tensor) -> bytes:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        names=np.array(list(sentences)),
        sentences=np.array(list(sentences.values())),
        embeddings=class_text.numpy(),
        scale=logit_scale.detach().exp().numpy(),
    )
    return buffer.getvalue()
