"""Whose voice it is, and what becomes of a face that is hidden while it speaks."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamaffect.affect.assemble import Assembler
from streamaffect.affect.estimate import Prediction
from streamaffect.feed.wire import decode, encode
from streamaffect.messages import Estimate
from streamaffect.runtime.bundle import load_bundle
from streamaffect.types import Box, Face, Frame, Sighting, Sightings, VoiceReading
from streamaffect.voice.speaker import Speaker
from tests.support.bundles import SIZE, SPREAD, write_bundle

SPEAKS = VoiceReading(0.8, 0.7, (0.2, 1.0))
FACE = Face(Box(0.1, 0.2, 0.3, 0.4), score=0.9)
SEEN = Sighting(0, FACE, visible=True, crop=np.zeros((SIZE, SIZE, 3), np.uint8), quality=0.8)
HIDDEN = replace(SEEN, visible=False, crop=None, quality=None)
TURNED_AWAY = replace(SEEN, crop=None, quality=0.1)


@pytest.fixture
def assembler(tmp_path: Path) -> Assembler:
    return Assembler("cam", load_bundle(write_bundle(tmp_path / "bundle", past=1)))


def prediction(time_s: float = 0.0, *, lookahead_s: float = 0.0) -> Prediction:
    heads = {
        "affect": np.array([0.25, -0.5], np.float32),
        "affect_spread": np.full(2, SPREAD, np.float32),
        "emotions": np.array([0.5, 0.25, 0.25], np.float32),
    }
    return Prediction(("cam", 0), time_s, heads, coverage=0.75, context_fill=1.0, lookahead_s=lookahead_s)


def heard(voice: VoiceReading | None, *faces: Sighting) -> Sightings:
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0, 0, None, pts_s=0.0)
    return Sightings(frame, faces, (), (), 0, 0, voice=voice, voice_of=Speaker().track(faces))


def without_voice(estimate: Estimate) -> Estimate:
    outputs = {name: values for name, values in estimate.outputs.items() if name not in ("voice", "modalities")}
    return msgspec.structs.replace(estimate, outputs=outputs, output_intervals=msgspec.UNSET, seq=0)


def test_a_face_that_is_seen_is_the_same_to_the_last_byte(assembler: Assembler) -> None:
    plain = assembler.estimate(prediction(), heard(None, SEEN), SEEN)
    spoken = assembler.estimate(prediction(), heard(SPEAKS, SEEN), SEEN)
    assert encode(without_voice(spoken)) == encode(plain)
    assert b"output_intervals" not in encode(plain)
    back = decode(encode(spoken))
    assert isinstance(back, Estimate)
    assert (back.outputs, back.output_intervals) == (spoken.outputs, spoken.output_intervals)


def test_among_several_faces_none_gets_the_voice(assembler: Assembler) -> None:
    other = replace(SEEN, track=1)
    estimate = assembler.estimate(prediction(), heard(SPEAKS, SEEN, other), SEEN)
    assert "voice" not in estimate.outputs
    assert estimate.output_intervals is msgspec.UNSET


@pytest.mark.parametrize("sighting", [HIDDEN, TURNED_AWAY], ids=["hidden", "turned away"])
def test_a_face_that_cannot_be_seen_is_held_while_its_voice_goes_on(assembler: Assembler, sighting: Sighting) -> None:
    estimate = assembler.estimate(prediction(), heard(SPEAKS, sighting), sighting)
    assert estimate.status == "held"
    assert estimate.arousal == pytest.approx(0.75 * -0.5 + 0.25 * 0.7)
    assert estimate.valence == 0.25
    assert estimate.arousal_interval is not None
    low, high = estimate.arousal_interval
    assert high - low == pytest.approx(0.8)


def test_a_face_shown_too_poorly_abstains_where_nobody_speaks(assembler: Assembler) -> None:
    silent = VoiceReading(0.1)
    assert assembler.estimate(prediction(), heard(silent, TURNED_AWAY), TURNED_AWAY).status == "abstain"


def test_a_refined_estimate_keeps_what_was_heard(tmp_path: Path) -> None:
    refining = Assembler("cam", load_bundle(write_bundle(tmp_path / "bundle", past=1, future=1)))
    refining.estimate(prediction(), heard(SPEAKS, SEEN), SEEN)
    refined = refining.refinement(prediction(lookahead_s=0.32))
    assert refined is not None and refined.outputs["voice"]["arousal"] == 0.7
