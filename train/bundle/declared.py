"""What a method declares of its bundle, and the manifest that this makes: every bundle says what it is in one way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from streamaffect.runtime.manifest import (
    SCHEMA,
    AbstainSpec,
    ClipSpec,
    ContextSpec,
    CropSpec,
    GraphSpec,
    HeadKind,
    HeadSpec,
    Manifest,
    OutputSpec,
    SoundSpec,
    TrainingSpec,
)

from ..data.labelled_clips import AFFECT_LABELS
from ..loop.run_record import current_commit

AFFECT = "affect"  # the head of valence and arousal


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Everything that the manifest says beside its graphs.

    recipe:  what the weights were made by; the name of the bundle, unless that is given
    data:    names of what the weights have seen
    metrics: figures of the training run, which the card shows
    """

    name: str
    licence: str
    seed: int
    data: Sequence[str]
    crop: CropSpec
    clip: ClipSpec
    context: ContextSpec
    heads: Sequence[HeadSpec]
    metrics: Mapping[str, object]
    version: str = "0.1"
    recipe: str = ""
    abstain: AbstainSpec | None = None
    sound: SoundSpec | None = None

    def manifest(self, graphs: dict[str, GraphSpec]) -> Manifest:
        """The manifest with these graphs, made now at the checkout's commit."""
        return Manifest(
            schema=SCHEMA,
            name=self.name,
            version=self.version,
            licence=self.licence,
            created=now(),
            crop=self.crop,
            clip=self.clip,
            context=self.context,
            heads=list(self.heads),
            graphs=graphs,
            training=trained_by(self.recipe or self.name, self.data, self.seed),
            metrics=dict(self.metrics),
            abstain=self.abstain,
            sound=self.sound,
        )


def declared_on(base: Manifest, *, data: Sequence[str], clip: ClipSpec | None = None, **fields: Any) -> Declared:
    """What is declared of a bundle whose encoders are those of another one: its crops, clips and limit of quality.

    clip: where the encoders are fed at another rate than the base's
    """
    return Declared(
        crop=base.crop,
        clip=clip or base.clip,
        abstain=base.abstain,
        data=[*data, f"frames and clips encoded by {base.label}"],
        **fields,
    )


def changed(base: Manifest, **changes: Any) -> Manifest:
    """The manifest of a bundle that was made from another one, now."""
    return msgspec.structs.replace(base, created=now(), **changes)


def trained_by(recipe: str, data: Sequence[str], seed: int) -> TrainingSpec:
    """Where the weights come from, at the checkout's commit."""
    return TrainingSpec(recipe, list(data), current_commit(Path(__file__).parent), seed)


def affect_head(name: str = AFFECT) -> HeadSpec:
    """Valence and arousal, each in [-1, 1], without intervals."""
    return HeadSpec(name, "regression", [OutputSpec(output, (-1.0, 1.0)) for output in AFFECT_LABELS])


def classes_head(name: str, classes: Sequence[str], kind: HeadKind = "classification") -> HeadSpec:
    """One probability a class."""
    return HeadSpec(name, kind, [OutputSpec(one, (0.0, 1.0), "probability") for one in classes])


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
