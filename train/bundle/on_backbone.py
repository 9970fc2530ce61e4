"""A bundle on top of another: its frame and clip encoder as they are, under a head of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streamaffect.runtime.manifest import (
    CLIP_ENCODER,
    FRAME_ENCODER,
    SCHEMA,
    ContextSpec,
    GraphSpec,
    HeadSpec,
    Manifest,
    SoundSpec,
    TrainingSpec,
)

from ..data.backbone import VisualBackbone
from ..loop.run_record import current_commit
from .card import model_card
from .export import TracedGraph, write_bundle


@dataclass(frozen=True, slots=True)
class Declared:
    """What the manifest says beside graphs and backbone. data: names of what the head has seen."""

    recipe: str
    version: str
    licence: str
    seed: int
    data: list[str]
    context: ContextSpec
    heads: list[HeadSpec]
    metrics: Mapping[str, float]
    sound: SoundSpec | None = None


def write_on_backbone(
    backbone: VisualBackbone, graphs: Mapping[str, TracedGraph], declared: Declared, target: Path
) -> Manifest:
    """Write the bundle to `target`, in place of the one that is there. A file `notes.md` beside it joins its card.

    graphs: the head, and whatever else, by role

    Raises:
        TrainingError: a graph computes something else than the model it was made from, or the result does not load.
    """
    manifest = backbone.bundle.manifest
    taken_over = (FRAME_ENCODER, CLIP_ENCODER)

    def describe(specs: dict[str, GraphSpec]) -> Manifest:
        return Manifest(
            schema=SCHEMA,
            name=declared.recipe,
            version=declared.version,
            licence=declared.licence,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            crop=manifest.crop,
            clip=backbone.clip,
            context=declared.context,
            heads=declared.heads,
            graphs={role: manifest.graphs[role] for role in taken_over} | specs,
            training=TrainingSpec(
                declared.recipe,
                [*declared.data, f"frames and clips encoded by {manifest.label}"],
                current_commit(Path(__file__).parent),
                declared.seed,
            ),
            metrics=dict(declared.metrics),
            abstain=manifest.abstain,
            sound=declared.sound,
        )

    files = {manifest.graphs[role].file: backbone.bundle.graph_path(role).read_bytes() for role in taken_over}
    return write_bundle(graphs, target, describe, lambda made: model_card(made, target.with_name("notes.md")), files)
