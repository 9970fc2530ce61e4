"""EmoCLIP as a bundle: CLIP's vision tower for frames, the temporal transformer for clips, sentences as classes.

The sentences are embedded once. They are part of the head's graph, and lie beside it with their text in
`sentences.npz`: `names` (K,) and `sentences` (K,), those of a compound class joined by a bar; `embeddings` (K, D) of
length 1; `scale`, the factor on the cosines.
"""

import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from streamaffect.errors import BundleError
from streamaffect.runtime.bundle import load_bundle
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
from ...errors import TrainingError
from ...loop.run_record import current_commit
from .clip_towers import ClipTowers
from .data.features import embed_classes
from .data.videos import MARGIN
from .model import TemporalTransformer, zero_shot
from .recipe import EmoClipRecipe

ZERO_SHOT_HEAD, EMBEDDING_HEAD = "zero_shot", "embedding"
SENTENCES = "sentences.npz"
BETWEEN = " | "
LEAST_COSINE = 0.999  # of one sentence embedded twice by the same CLIP


Describe = Callable[[dict[str, GraphSpec]], Manifest]


class ClassSentences(NamedTuple):
    """Per class its sentences, several for a compound one, and their embeddings (K, D) of length 1."""

    sentences: Mapping[str, list[str]]
    embeddings: Tensor


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
    head = _zero_shot_head(classes, logit_scale)
    files = {SENTENCES: _packed(classes, float(logit_scale.detach().exp()))}
    return export_video_model(towers, temporal, head, recipe=recipe, metrics=metrics, target=target, files=files)


def export_video_model(
    towers: ClipTowers,
    temporal: TemporalTransformer,
    head: Head,
    *,
    recipe: EmoClipRecipe,
    metrics: Mapping[str, float],
    target: Path,
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> Manifest:
    """As `export_emoclip`, with any head. recipe: with the name and licence of the bundle."""
    clip = ClipSpec(recipe.window, recipe.stride / recipe.fps)
    generator = torch.Generator().manual_seed(0)
    crops = torch.randint(0, 256, (2, towers.side, towers.side, 3), dtype=torch.uint8, generator=generator)
    features = torch.randn(2, clip.frames, towers.dim, generator=generator)
    graphs = {
        FRAME_ENCODER: TracedGraph(towers, {"crops": crops}, ["features"]),
        CLIP_ENCODER: TracedGraph(temporal, {"features": features}, ["clip"]),
        CONTEXT_HEAD: head.graph,
    }
    seen = [recipe.data, *([recipe.clip] if recipe.clip else [])]

    def describe(specs: dict[str, GraphSpec]) -> Manifest:
        axes = [OutputSpec(str(axis), (-1e6, 1e6)) for axis in range(towers.dim)]
        return Manifest(
            schema=SCHEMA,
            name=recipe.name,
            version="0.1",
            licence=recipe.licence,
            created=_now(),
            crop=CropSpec(towers.side, MARGIN, "none"),
            clip=clip,
            context=ContextSpec(past=0, future=0),
            heads=[head.spec, HeadSpec(EMBEDDING_HEAD, "embedding", axes, input="clip")],
            graphs=specs,
            training=TrainingSpec(recipe.name, seen, current_commit(Path(__file__).parent), recipe.seed),
            metrics=dict(metrics),
        )

    return _write(graphs, target, describe, files)


def replace_sentences(bundle: Path, towers: ClipTowers, sentences: Mapping[str, list[str]], target: Path) -> Manifest:
    """Give a bundle other classes: embed the sentences and write it to `target`, which may be the same folder.

    Frames and clips are encoded as before, nothing is trained, and the scores of the old classes are left out.

    Raises:
        TrainingError: the bundle is none of EmoCLIP, or `towers` is not the CLIP that it was made with.
        BundleError: the bundle is damaged.
    """
    manifest = load_bundle(bundle).manifest
    shipped = _read_sentences(bundle)
    again = embed_classes(towers, {name: text.split(BETWEEN) for name, text in shipped.texts.items()})
    if again.shape != shipped.embeddings.shape or (again * shipped.embeddings).sum(dim=1).min() < LEAST_COSINE:
        raise TrainingError(f"{bundle}: was made with another CLIP than the one given: its own sentences come out "
                            "otherwise than they are shipped")  # fmt: skip
    classes = ClassSentences(sentences, embed_classes(towers, dict(sentences)))
    head = _zero_shot_head(classes, torch.tensor(shipped.scale).log())
    kept = {role: graph for role, graph in manifest.graphs.items() if role != CONTEXT_HEAD}

    def describe(specs: dict[str, GraphSpec]) -> Manifest:
        others = [head for head in manifest.heads if head.name != ZERO_SHOT_HEAD]
        return msgspec.structs.replace(
            manifest, created=_now(), graphs=kept | specs, heads=[head.spec, *others], metrics={}
        )

    files = {graph.file: (bundle / graph.file).read_bytes() for graph in kept.values()}
    files[SENTENCES] = _packed(classes, shipped.scale)
    return _write({CONTEXT_HEAD: head.graph}, target, describe, files)


class _Shipped(NamedTuple):
    texts: dict[str, str]
    embeddings: Tensor
    scale: float


def _read_sentences(bundle: Path) -> _Shipped:
    file = bundle / SENTENCES
    try:
        with np.load(file, allow_pickle=False) as packed:
            texts = dict(zip(packed["names"].tolist(), packed["sentences"].tolist(), strict=True))
            return _Shipped(texts, torch.from_numpy(packed["embeddings"]), float(packed["scale"]))
    except FileNotFoundError:
        raise TrainingError(f"{bundle}: holds no {SENTENCES}; only bundles of EmoCLIP have sentences") from None
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(f"{file}: cannot be read ({error}); export the bundle again") from error


class OnClips(nn.Module):
    """A module on clips in the place of a context head.

    The context is the clip itself; it is averaged in, so that the graph keeps the three inputs of a bundle.
    """

    def __init__(self, read: nn.Module) -> None:
        super().__init__()
        self.read = read

    def forward(self, clip: Tensor, context: Tensor, valid: Tensor) -> Tensor:
        """(N, C), (N, 1, C), (N, 1) bool → what `read` makes of (N, C)."""
        weight = valid.unsqueeze(2).to(clip.dtype)
        out: Tensor = self.read((clip + (weight * context).sum(dim=1)) / (1 + weight.sum(dim=1)))
        return out


def head_graph(read: nn.Module, dim: int, name: str) -> TracedGraph:
    """The graph of a head that reads clips (N, dim) alone."""
    clips = torch.randn(2, dim, generator=torch.Generator().manual_seed(0))
    inputs = {"clip": clips, "context": clips[:, None].contiguous(), "valid": torch.ones(2, 1, dtype=torch.bool)}
    return TracedGraph(OnClips(read), inputs, [name])


class _ZeroShot(nn.Module):
    class_text: Tensor
    logit_scale: Tensor

    def __init__(self, class_text: Tensor, logit_scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("class_text", class_text)
        self.register_buffer("logit_scale", logit_scale.detach().cpu())

    def forward(self, video: Tensor) -> Tensor:
        return zero_shot(video, self.class_text, self.logit_scale)


def _zero_shot_head(classes: ClassSentences, logit_scale: Tensor) -> Head:
    shares = [OutputSpec(name, (0.0, 1.0), "probability") for name in classes.sentences]
    graph = head_graph(_ZeroShot(classes.embeddings, logit_scale), classes.embeddings.shape[1], ZERO_SHOT_HEAD)
    return Head(graph, HeadSpec(ZERO_SHOT_HEAD, "classification", shares))


def _write(graphs: Mapping[str, TracedGraph], target: Path, describe: Describe, files: Mapping[str, bytes]) -> Manifest:
    return write_bundle(
        graphs, target, describe, lambda manifest: model_card(manifest, target.with_name("notes.md")), files
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _packed(classes: ClassSentences, scale: float) -> bytes:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        names=np.array(list(classes.sentences)),
        sentences=np.array([BETWEEN.join(own) for own in classes.sentences.values()]),
        embeddings=classes.embeddings.numpy(),
        scale=np.float32(scale),
    )
    return buffer.getvalue()
