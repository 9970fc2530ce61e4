"""A joint fusion from its folder: what face and voice say together while the face is hidden.

A joint multimodal transformer (Waligora et al., CVPR Workshops 2024) over the last steps of a track, each marked as
heard and as seen or not. It is asked only where a face is hidden and its voice goes on; all else is said by the bundle.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamaffect.errors import BundleError
from streamaffect.runtime.bundle import Bundle, default_bundle_path
from streamaffect.runtime.manifest import CLIP_ENCODER, FRAME_ENCODER
from streamaffect.types import BoolArray, FloatArray, VoiceReading
from streamaffect.voice.addition import around, read_addition, read_graph
from streamaffect.voice.joint_manifest import INPUTS, MANIFEST, OUTPUT, SCHEMA, FusionManifest
from streamaffect.voice.prosody import FEATURES
from streamaffect.voice.session import open_session

VALENCE, AROUSAL = "valence", "arousal"
HEARD = (*FEATURES, "voice_arousal")  # what a step may hear: prosody, and what the voice model says
MAKE_AGAIN = "export the fusion again"


@dataclass(frozen=True, slots=True)
class Fused:
    """What was said of a hidden face, each in [-1, 1] with an interval within it."""

    valence: float
    arousal: float
    valence_interval: tuple[float, float]
    arousal_interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class StepWindow:
    """The last T steps, oldest first; what is not seen, heard or there is never read.

    visual: (T, C) and audio (T, F) float32; heard, seen, valid: (T,) bool
    """

    visual: FloatArray
    audio: FloatArray
    heard: BoolArray
    seen: BoolArray
    valid: BoolArray


def default_fusion_path() -> Path:
    """The shipped fusion, beside the shipped bundle."""
    return default_bundle_path().parent / "fusion"


def open_fusion(bundle: Bundle, path: Path | None = None) -> "JointFusion | None":
    """The fusion that reads this bundle's clips, None where there is none: its encoders are others.

    path: its folder; None is the shipped one

    Raises BundleError where the folder's files are missing, altered or of another kind.
    """
    found = JointFusion(default_fusion_path() if path is None else path)
    return found if found.belongs_to(bundle) else None


class JointFusion:
    """Any thread may ask. Raises BundleError as `open_fusion`."""

    def __init__(self, folder: Path) -> None:
        file = folder / MANIFEST
        self.manifest = _read_manifest(file)
        self._columns = [HEARD.index(name) for name in self.manifest.features]
        graph = self.manifest.graph
        self._session = open_session(read_graph(file, graph, MAKE_AGAIN), str(folder / graph.file))

    def belongs_to(self, bundle: Bundle) -> bool:
        """Whether it reads what this bundle's encoders give."""
        graphs, manifest = bundle.manifest.graphs, self.manifest
        theirs = (graphs[FRAME_ENCODER].sha256, graphs[CLIP_ENCODER].sha256)
        return theirs == (manifest.frame_encoder, manifest.clip_encoder)

    def sound(self, reading: VoiceReading | None) -> FloatArray | None:
        """What a step hears of a reading, (F,) float32; None where nothing was heard."""
        if reading is None or reading.prosody is None or reading.arousal is None:
            return None
        found: FloatArray = np.append(reading.prosody, np.float32(reading.arousal))[self._columns]
        return found

    def fuse(self, window: StepWindow) -> Fused:
        """What the last step of a window says."""
        parts = (window.visual, window.audio, window.heard, window.valid, window.seen)
        inputs = {name: part[None] for name, part in zip(INPUTS, parts, strict=True)}
        found: FloatArray = self._session.run([OUTPUT], inputs)[0]
        valence, arousal = np.clip(found[0, -1], -1.0, 1.0).tolist()
        widths = self.manifest.half_widths
        return Fused(valence, arousal, around(valence, widths[VALENCE]), around(arousal, widths[AROUSAL]))


def _read_manifest(file: Path) -> FusionManifest:
    manifest = read_addition(file, FusionManifest, schema=SCHEMA, known=HEARD, what="a fusion", remedy=MAKE_AGAIN)
    if set(manifest.half_widths) != {VALENCE, AROUSAL}:
        raise BundleError(f"{file}: half_widths has {sorted(manifest.half_widths)}, expected {VALENCE} and {AROUSAL}")
    if sorted(spec.name for spec in manifest.graph.inputs) != sorted(INPUTS):
        raise BundleError(f"{file}: graph.inputs are not {', '.join(INPUTS)}; {MAKE_AGAIN}")
    return manifest
