"""`fusion.json`, schema 1: what a joint fusion declares about itself, and to which encoders it belongs."""

from typing import Annotated

import msgspec

from streamaffect.messages import Share
from streamaffect.runtime.manifest import GraphSpec, TrainingSpec
from streamaffect.voice.manifest import Seconds, Width

SCHEMA = 1
MANIFEST = "fusion.json"
GRAPH = "fusion.onnx"
# Of the graph: visual (N, T, C) and audio (N, T, F) float32, heard, valid and seen (N, T) bool → affect (N, T, 2).
INPUTS = ("visual", "audio", "heard", "valid", "seen")
OUTPUT = "affect"  # valence and arousal

Steps = Annotated[int, msgspec.Meta(ge=2, le=128)]


class FusionManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `fusion.json`. Unknown keys are ignored, an unknown `schema` is refused.

    frame_encoder, clip_encoder: SHA-256 of the graphs whose clip vectors it reads
    features:    what a step hears, in order: names of `joint.HEARD`
    steps:       T, of a window; step_s: from one to the next; window_s: of sound, which ends with its step
    half_widths: of the intervals of valence and arousal while the face is hidden; level: how often the truth lies in
                 them, with speakers and faces that were held out
    limits:      what it cannot do, a sentence each
    """

    schema: int
    name: str
    version: str
    licence: str
    created: str
    summary: str
    frame_encoder: str
    clip_encoder: str
    features: list[str]
    steps: Steps
    step_s: Seconds
    window_s: Seconds
    half_widths: dict[str, Width]
    level: Share
    graph: GraphSpec
    training: TrainingSpec
    metrics: dict[str, float] = {}
    limits: list[str] = []

    @property
    def label(self) -> str:
        """name@version."""
        return f"{self.name}@{self.version}"
