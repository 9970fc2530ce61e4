"""A voice model from its folder, checked, and what it reads from a window of sound."""

from pathlib import Path

import numpy as np

from streamaffect.runtime.bundle import default_bundle_path
from streamaffect.types import SOUND_RATE_HZ, FloatArray, VoiceReading
from streamaffect.voice.activity import VoiceActivity
from streamaffect.voice.addition import around, read_addition, read_graph
from streamaffect.voice.manifest import INPUT, MANIFEST, OUTPUT, SCHEMA, VoiceManifest
from streamaffect.voice.prosody import FEATURES, Frames, prosody_of, voice_in
from streamaffect.voice.session import open_session
from streamaffect.voice.timbre import KNOWN, timbre_of

MAKE_AGAIN = "export the voice model again"


def default_voice_path() -> Path:
    """The shipped voice model, beside the shipped bundle."""
    return default_bundle_path().parent / "voice"


class VoiceModel:
    """Activity and arousal of a voice. Any thread may ask.

    path: its folder; None is the shipped one

    Raises BundleError where the folder's files are missing, altered or of another kind; EngineError as `VoiceActivity`.
    """

    def __init__(self, path: Path | None = None) -> None:
        folder = default_voice_path() if path is None else path
        file = folder / MANIFEST
        self.manifest = read_addition(
            file, VoiceManifest, schema=SCHEMA, known=KNOWN, what="a voice model", remedy=MAKE_AGAIN
        )
        self._columns = [KNOWN.index(name) for name in self.manifest.features]
        self._activity = VoiceActivity()
        graph = self.manifest.graph
        self._session = open_session(read_graph(file, graph, MAKE_AGAIN), str(folder / graph.file))

    def read(self, samples: FloatArray) -> VoiceReading:
        """A window (N,) at `SOUND_RATE_HZ`, 0 where nothing was heard → how much of it is speech, and its arousal."""
        share = self._activity.share(samples)
        described = self.describe(samples) if share >= self.manifest.heard else None
        if described is None:
            return VoiceReading(share)
        prosody, arousal = described
        return VoiceReading(share, arousal, around(arousal, self.manifest.half_width), prosody=prosody)

    def arousal(self, samples: FloatArray) -> float | None:
        """Of a window that holds speech, in [-1, 1]; None where there is no pitch in it."""
        described = self.describe(samples)
        return None if described is None else described[1]

    def describe(self, samples: FloatArray) -> tuple[FloatArray, float] | None:
        """The prosody of a window that holds speech, (17,) float32, and its arousal; None where there is no pitch."""
        frames = voice_in(samples)
        if frames is None:
            return None
        prosody = prosody_of(frames)
        return prosody, self._arousal(frames, prosody)

    def _arousal(self, frames: Frames, prosody: FloatArray) -> float:
        numbers = prosody
        if max(self._columns) >= len(FEATURES):
            numbers = np.concatenate([prosody, timbre_of(frames)])
        found: FloatArray = self._session.run([OUTPUT], {INPUT: numbers[None, self._columns]})[0]
        return float(np.clip(found[0, 0], -1.0, 1.0))

    @property
    def window(self) -> int:
        """Samples of a window."""
        return round(self.manifest.window_s * SOUND_RATE_HZ)
