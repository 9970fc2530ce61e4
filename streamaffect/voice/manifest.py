"""`voice.json`, schema 1: what a voice model declares about itself, as `manifest.json` does for a bundle."""

from typing import Annotated

import msgspec

from streamaffect.messages import Share
from streamaffect.runtime.manifest import GraphSpec, TrainingSpec

SCHEMA = 1
MANIFEST = "voice.json"
GRAPH = "voice.onnx"
INPUT, OUTPUT = "prosody", "arousal"  # of the graph: (N, F) and (N, 1), float32

Width = Annotated[float, msgspec.Meta(gt=0, le=2)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=30)]


class VoiceManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `voice.json`. Unknown keys are ignored, an unknown `schema` is refused.

    features:   what the graph reads, in order: names of `timbre.KNOWN`
    window_s:   so much sound is looked at
    heard:      share of a window in which somebody must speak for it to be heard
    half_width: of the interval of arousal; level: how often the truth lies in it, with voices that were held out
    limits:     what it cannot do, a sentence each
    """

    schema: int
    name: str
    version: str
    licence: str
    created: str
    summary: str
    features: list[str]
    window_s: Seconds
    heard: Share
    half_width: Width
    level: Share
    graph: GraphSpec
    training: TrainingSpec
    metrics: dict[str, float] = {}
    limits: list[str] = []

    @property
    def label(self) -> str:
        """name@version."""
        return f"{self.name}@{self.version}"
