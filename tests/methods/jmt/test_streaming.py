"""A bundle that can hear in the stream: face and voice of every frame are weighed as they were in training."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from streamaffect.affect.assemble import Assembler
from streamaffect.affect.estimate import Estimator
from streamaffect.config import load_config
from streamaffect.faces.tracker import Tracker
from streamaffect.messages import Estimate
from streamaffect.pipeline.opening import open_streams
from streamaffect.pipeline.stages import AffectStage, FaceStage
from streamaffect.runtime.manifest import AUDIO_ENCODER, FUSION_HEAD
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.settings import TrackerSettings
from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import SOUND_RATE_HZ, FloatArray, Frame, ImageArray, SoundBlock, VoiceReading
from streamaffect.voice.bundled import BundledFusion, FaceAndVoice, at_rate
from streamaffect.voice.model import VoiceModel
from streamaffect.voice.reader import VoiceReader
from tests.methods.jmt.test_bundle import session
from tests.support.scripted import FACE, ScriptedDetector, picture
from tests.support.sound.flashes import write_flashes
from tests.support.training.audio_visual import Finished
from train.audiovisual.log_mel import LogMelConfig
from train.audiovisual.sound import Sound
from train.audiovisual.steps import recorded_steps
from train.data.backbone import open_backbone

PERIOD_S, FRAMES = 0.08, 130
HIDDEN_S = (7.0, 9.0)
SPEAKS = VoiceReading(0.8, 0.7, (0.2, 1.0))


class Talkative(VoiceModel):
    """Hears somebody speak in whatever comes; the real one needs a real voice, which no test may ship."""

    def read(self, samples: FloatArray) -> VoiceReading:
        return SPEAKS


def siren(rate_hz: int) -> FloatArray:
    """A tone that goes up and down, for as long as the frames last."""
    time_s = np.arange(round((FRAMES + 1) * PERIOD_S * rate_hz)) / rate_hz
    return np.asarray(0.3 * np.sin(2 * np.pi * (600 * time_s + 80 * np.sin(2 * np.pi * time_s / 3))), np.float32)


def watch(
    finished: Finished,
    sound: FloatArray,
    *,
    fuses: bool = True,
    faces_at: Callable[[float], bool] = lambda time_s: True,
) -> tuple[list[Estimate], list[ImageArray]]:
    """Estimates of one face with this sound beside it, and the crops that were seen of it."""
    bundle, ring = finished.bundle, SoundRing()
    ring.push(SoundBlock(sound, 0.0, 0))
    detector = ScriptedDetector(lambda time_s: [FACE] if faces_at(time_s) else [])
    voice = VoiceReader(Talkative(), ring)
    faces = FaceStage(detector, Tracker(TrackerSettings(confirm_hits=1, confirm_s=0.0)), bundle, voice=voice)
    both = FaceAndVoice(BundledFusion(bundle), ring) if fuses else None
    stage = AffectStage(Estimator(bundle, OnnxRuntimeEngine(bundle)), {"a": Assembler("a", bundle, None, both)})
    said: list[Estimate] = []
    crops: list[ImageArray] = []
    for number in range(1, FRAMES):
        time_s = number * PERIOD_S
        seen = faces.look(Frame(picture(number), number, time_s, round(time_s * 1e9), None, time_s))
        crops += [one.crop for one in seen.faces if one.crop is not None]
        messages = stage.messages([("a", seen)], stage.estimate([("a", seen)]))
        said += [one for one in messages if isinstance(one, Estimate)]
    return said, crops


def offline(finished: Finished, crops: list[ImageArray]) -> FloatArray:
    """Valence and arousal (F, 2) of every frame, by the code that makes training's windows and the bundle's graphs."""
    bundle, steps = finished.bundle, finished.bundle.manifest.context.clips
    spec = bundle.manifest.sound
    assert spec is not None
    mel = LogMelConfig(spec.rate_hz, spec.log_mel.bands, spec.log_mel.fft, spec.log_mel.window, spec.log_mel.hop)
    times = PERIOD_S * np.arange(1, len(crops) + 1)
    sound = Sound(torch.from_numpy(siren(spec.rate_hz)), spec.rate_hz)
    backbone = open_backbone(str(bundle.path))
    made = recorded_steps(
        backbone, np.stack(crops), times, np.zeros((len(crops), 2)), sound=sound, mel=mel, steps=steps
    )
    pieces = torch.stack([sound.until(end_s, spec.samples) for end_s in times.tolist()])
    audio = session(bundle, AUDIO_ENCODER).run(None, {"samples": pieces.numpy()})[0]
    windows, valid = made.windows.numpy(), made.valid.numpy()
    inputs = {
        "visual": made.visual.numpy()[windows],
        "audio": audio[windows],
        "heard": made.heard.numpy()[windows],
        "valid": valid,
        "seen": np.ones_like(valid),
    }
    return np.asarray(session(bundle, FUSION_HEAD).run(["affect"], inputs)[0])[:, -1]


def values(said: list[Estimate]) -> FloatArray:
    return np.array([(one.valence, one.arousal) for one in said], np.float32)


def test_the_stream_says_what_training_would(finished: Finished) -> None:
    said, crops = watch(finished, siren(SOUND_RATE_HZ))
    assert len(said) == len(crops) == FRAMES - 1
    full = round(finished.bundle.manifest.context.clips * finished.bundle.manifest.clip.length_s / PERIOD_S) + 8
    expected = offline(finished, crops)
    assert full < FRAMES - 20
    np.testing.assert_allclose(values(said)[full:], expected[full:], atol=5e-3)
    assert np.abs(values(said)[full:] - expected[full - 5 : -5]).max() > 2e-2  # a shift of five frames would be seen
    assert {one.outputs["modalities"]["joint"] for one in said[full:]} == {1.0}


def test_nothing_that_can_be_heard_changes_nothing(finished: Finished) -> None:
    silence = np.zeros(round(FRAMES * PERIOD_S * SOUND_RATE_HZ), np.float32)
    first, second = (watch(finished, silence, fuses=fuses)[0] for fuses in (True, False))
    assert first == second


def test_a_hidden_face_goes_on_by_what_is_heard(finished: Finished) -> None:
    said, _ = watch(finished, siren(SOUND_RATE_HZ), faces_at=lambda time_s: not HIDDEN_S[0] <= time_s < HIDDEN_S[1])
    held = [one for one in said if one.status == "held"]
    assert len(held) == 25 and {one.track for one in said} == {0}
    assert held[-1].outputs["modalities"] == {"face": 0.0, "voice": 1.0, "joint": 1.0}
    assert np.isfinite(values(held)).all() and len({one.arousal for one in held}) > 10


def test_a_run_with_sound_asks_the_bundle_and_not_the_shipped_fusion(
    finished: Finished, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("sound") / "clip.mkv"
    write_flashes(path)
    for sound, asks in (("auto", True), ("off", False)):
        config = load_config(flags={"run": {"bundle": str(finished.bundle.path)}, "source": {"sound": sound}})
        (stream,) = open_streams([f"clip={path}"], config, finished.bundle)
        stream.close()
        assert (stream.both is not None) is asks and stream.fusion is None


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_sound_at_another_rate_ends_when_it_did(rate_hz: int) -> None:
    time_s = np.arange(SOUND_RATE_HZ) / SOUND_RATE_HZ
    found = at_rate(np.sin(2 * np.pi * 200 * time_s).astype(np.float32), rate_hz, rate_hz // 2)
    wanted = np.sin(2 * np.pi * 200 * (0.5 + np.arange(rate_hz // 2) / rate_hz))
    np.testing.assert_allclose(found[50:-50], wanted[50:-50], atol=0.02)
    short = at_rate(np.ones(160, np.float32), rate_hz, rate_hz)
    assert not short[: rate_hz // 2].any() and len(short) == rate_hz
