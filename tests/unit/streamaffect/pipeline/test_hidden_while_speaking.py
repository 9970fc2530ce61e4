"""A face that is hidden for seconds while its voice goes on: one track, held, and none of it where nobody listens."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from streamaffect.affect.assemble import Assembler
from streamaffect.affect.estimate import Estimator
from streamaffect.faces.tracker import Tracker
from streamaffect.messages import Estimate, Event, Message
from streamaffect.pipeline.meta import make_meta
from streamaffect.pipeline.stages import AffectStage, FaceStage
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.settings import TrackerSettings
from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import SOUND_RATE_HZ, FloatArray, Frame, SoundBlock, VoiceReading
from streamaffect.voice.joint import JointFusion, open_fusion
from streamaffect.voice.model import VoiceModel
from streamaffect.voice.prosody import FEATURES
from streamaffect.voice.reader import VoiceReader
from tests.support.scripted import FACE, ScriptedDetector, ScriptedSource, make_stream, picture

SPEAKS = VoiceReading(0.8, 0.7, (0.2, 1.0), prosody=np.ones(len(FEATURES), np.float32))
FPS, HIDDEN_S, END_S = 10, (2.0, 6.0), 8.0


class Talkative(VoiceModel):
    """Hears somebody speak in whatever comes; the real one needs a real voice, which no test may ship."""

    def read(self, samples: FloatArray) -> VoiceReading:
        return SPEAKS


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle()


def watch(bundle: Bundle, fusion: JointFusion | None, *, listening: bool) -> list[Message]:
    """What is said of one face that nobody can see from 2 to 6 s."""
    ring = SoundRing()
    ring.push(SoundBlock(np.full(round(END_S * SOUND_RATE_HZ), 0.1, np.float32), 0.0, 0))
    detector = ScriptedDetector(lambda time_s: [] if HIDDEN_S[0] <= time_s < HIDDEN_S[1] else [FACE])
    voice = VoiceReader(Talkative(), ring) if listening else None
    faces = FaceStage(detector, Tracker(TrackerSettings(confirm_hits=1, confirm_s=0.0)), bundle, voice=voice)
    stage = AffectStage(Estimator(bundle, OnnxRuntimeEngine(bundle)), {"a": Assembler("a", bundle, fusion)})
    said: list[Message] = []
    for number in range(1, round(END_S * FPS)):
        time_s = number / FPS
        seen = faces.look(Frame(picture(0), number, time_s, round(time_s * 1e9), None, time_s))
        said += stage.messages([("a", seen)], stage.estimate([("a", seen)]))
    return said


def estimates(messages: list[Message], *, hidden: bool) -> list[Estimate]:
    found = [one for one in messages if isinstance(one, Estimate) and one.pts_s is not None]
    return [one for one in found if (HIDDEN_S[0] <= (one.pts_s or 0.0) < HIDDEN_S[1]) == hidden]


def events(messages: list[Message]) -> list[tuple[str, int | None]]:
    return [(one.event, one.track) for one in messages if isinstance(one, Event)]


def without_voice(estimate: Estimate) -> tuple[object, ...]:
    values = (estimate.valence, estimate.arousal, estimate.valence_interval, estimate.arousal_interval)
    return *values, estimate.status, estimate.coverage, estimate.outputs["emotions"]


def test_a_hidden_face_is_held_by_what_was_seen_and_is_heard(bundle: Bundle) -> None:
    fusion = open_fusion(bundle)
    assert fusion is not None
    said = watch(bundle, fusion, listening=True)
    assert events(said) == [("track_born", 0)]
    held = estimates(said, hidden=True)
    assert len(held) == 40 and {one.status for one in held} == {"held"}
    late = held[-1]
    assert late.coverage == 0 and late.outputs["modalities"] == {"face": 0.0, "voice": 1.0, "joint": 1.0}
    assert late.valence_interval is not None and late.arousal_interval is not None
    low, high = late.arousal_interval
    assert late.arousal is not None and low < late.arousal < high


def test_all_that_is_said_of_such_a_face_is_declared(bundle: Bundle) -> None:
    fusion = open_fusion(bundle)
    voice = VoiceReader(Talkative(), SoundRing())
    faces = FaceStage(ScriptedDetector(), Tracker(TrackerSettings()), bundle, voice=voice)
    with closing(OnnxRuntimeEngine(bundle)) as engine:
        stream = replace(make_stream("a", ScriptedSource([0.0]), bundle), faces=faces, fusion=fusion)
        declared = {
            head.name: {one["name"] for one in head.outputs}
            for head in make_meta(stream, bundle, engine.info, t_ns=0).heads
        }
    said = [one.outputs for one in watch(bundle, fusion, listening=True) if isinstance(one, Estimate)]
    assert {(head, name) for outputs in said for head, values in outputs.items() for name in values} == {
        (head, name) for head, names in declared.items() if head != "affect" for name in names
    }


def test_without_a_fusion_trust_passes_to_the_voice(bundle: Bundle) -> None:
    held = estimates(watch(bundle, None, listening=True), hidden=True)
    shares = [one.outputs["modalities"]["face"] for one in held[1:]]
    assert shares == sorted(shares, reverse=True) and shares[-1] < 0.5
    assert held[-1].arousal is not None and SPEAKS.arousal is not None and held[0].arousal is not None
    assert abs(held[-1].arousal - SPEAKS.arousal) < abs(held[0].arousal - SPEAKS.arousal)


def test_where_nobody_listens_the_face_is_lost_as_ever(bundle: Bundle) -> None:
    said = watch(bundle, None, listening=False)
    assert events(said) == [("track_born", 0), ("track_lost", 0), ("track_born", 1)]
    assert len(estimates(said, hidden=True)) < 8


def test_a_face_in_view_is_the_same_with_and_without_a_fusion_and_a_voice(bundle: Bundle) -> None:
    runs = [
        watch(bundle, open_fusion(bundle), listening=True),
        watch(bundle, None, listening=True),
        watch(bundle, None, listening=False),
    ]
    first, second, third = ([without_voice(one) for one in estimates(run, hidden=False)] for run in runs)
    assert first == second
    assert first[:19] == third[:19]  # before it was hidden; a lost face begins anew
