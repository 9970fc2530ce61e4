"""The fusion that a bundle brings itself: face and voice weighed together, whether the face is seen or hidden.

A joint multimodal transformer (Waligora et al., CVPR Workshops 2024): `audio_encoder` makes a vector of the sound of a
step, `fusion_head` weighs the steps of both. It is asked while somebody is heard in the steps that it reads; otherwise
`context_head` has said the same.
"""

import numpy as np

from streamaffect.runtime.bundle import SEEN, Bundle
from streamaffect.runtime.manifest import AUDIO_ENCODER, FUSION_HEAD
from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import SOUND_RATE_HZ, FloatArray
from streamaffect.voice.hidden import Glimpse
from streamaffect.voice.joint import StepWindow
from streamaffect.voice.session import open_session
from streamaffect.voice.steps import StepMemory

AUDIBLE = 1e-4  # largest sample, -80 dB; training counts less as nothing heard, too


class BundledFusion:
    """The two further graphs of a bundle that can hear, for all streams; any thread may ask.

    bundle: one for which `can_hear` is true

    Raises EngineError where ONNX Runtime refuses a graph.
    """

    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        assert manifest.sound is not None
        self._sound = manifest.sound
        self._encoder, self._head = (
            open_session(bundle.graph_path(role).read_bytes(), str(bundle.graph_path(role)))
            for role in (AUDIO_ENCODER, FUSION_HEAD)
        )
        head = manifest.graphs[FUSION_HEAD]
        self._names = [output.name for output in head.outputs]
        self.knows_hidden_faces = any(spec.name == SEEN for spec in head.inputs)
        self.steps, self.step_s = manifest.context.past + 1, manifest.clip.length_s
        self.widths = bundle.clip_dim, int(manifest.graphs[AUDIO_ENCODER].outputs[0].shape[-1])

    def hear(self, ring: SoundRing, end_s: float) -> FloatArray | None:
        """The vector (A,) of a step that ends at `end_s`; None where there is nothing to hear."""
        window = ring.read(end_s - self._sound.samples / self._sound.rate_hz, end_s)
        if np.abs(window.samples).max(initial=0.0) < AUDIBLE:
            return None
        samples = at_rate(window.samples, self._sound.rate_hz, self._sound.samples)
        found: FloatArray = self._encoder.run(None, {"samples": samples[None]})[0][0]
        return found

    def weigh(self, window: StepWindow) -> dict[str, FloatArray]:
        """What the last step of a window says: a row (L,) for each head that the fusion gives."""
        inputs = {"visual": window.visual, "audio": window.audio, "heard": window.heard, "valid": window.valid}
        if self.knows_hidden_faces:
            inputs[SEEN] = window.seen
        found = self._head.run(self._names, {name: part[None] for name, part in inputs.items()})
        return {name: rows[0, -1] for name, rows in zip(self._names, found, strict=True)}


def can_hear(bundle: Bundle) -> bool:
    """Whether a bundle brings a fusion that a stream can ask: one that waits for no future."""
    graphs = bundle.manifest.graphs
    has_graphs = AUDIO_ENCODER in graphs and FUSION_HEAD in graphs
    return bundle.manifest.sound is not None and has_graphs and bundle.manifest.context.future == 0


def at_rate(samples: FloatArray, rate_hz: int, count: int) -> FloatArray:
    """Sound at `SOUND_RATE_HZ` (N,) at another rate: the `count` samples at its end, silence before what is missing."""
    if rate_hz != SOUND_RATE_HZ:
        from av.audio.frame import AudioFrame

        from streamaffect.sources.sound.resampler import Resampler

        frame = AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = SOUND_RATE_HZ
        resampler = Resampler(rate_hz)
        samples = np.concatenate([resampler.take(frame), resampler.rest()])
    found = np.zeros(count, np.float32)
    kept = samples[-count:]
    found[count - len(kept) :] = kept
    return found


class FaceAndVoice:
    """The faces of one stream, each with what was heard when it was its voice that was heard.

    ring: the sound beside the stream's frames
    """

    def __init__(self, fusion: BundledFusion, ring: SoundRing) -> None:
        self._fusion = fusion
        self._ring = ring
        self._steps: dict[int, StepMemory] = {}

    def weigh(self, track: int, glimpse: Glimpse) -> dict[str, FloatArray] | None:
        """What both say, a row (L,) for each head of the fusion; None where the track's voice was not heard of late."""
        if glimpse.clip is None:
            return None
        fusion, time_s = self._fusion, glimpse.time_s
        steps = self._steps.setdefault(track, StepMemory(fusion.steps, fusion.step_s, fusion.widths))
        speaks = glimpse.reading is not None and glimpse.reading.arousal is not None
        coverage = glimpse.coverage if fusion.knows_hidden_faces else 1.0
        steps.push(time_s, glimpse.clip, coverage, fusion.hear(self._ring, time_s) if speaks else None)
        window = steps.window()
        return fusion.weigh(window) if window.heard.any() else None

    def forget(self, track: int) -> None:
        """Drop a track that is lost."""
        self._steps.pop(track, None)
