"""Readings of a voice as messages."""

from dataclasses import replace

import numpy as np

from streamaffect.messages import Voice
from streamaffect.types import Frame, Sightings, VoiceReading
from streamaffect.voice.telling import VoiceTeller

SPEAKS = VoiceReading(0.8, 0.7, (0.2, 1.0), end_s=1.5, model="voice@1")


def beside(time_s: float, voice: VoiceReading | None, *, of: int | None = None, live: bool = False) -> Sightings:
    start_ns = 10**18 if live else 0
    t_ns = start_ns + round(time_s * 1e9)
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 0, time_s, t_ns, t_ns if live else None, None if live else time_s)
    return Sightings(frame, (), (), (), 0, 0, voice=voice, voice_of=of)


def test_each_reading_is_told_once_with_the_time_at_which_its_window_ends() -> None:
    teller = VoiceTeller("cam")
    said = [teller.tell(beside(time_s, SPEAKS, of=3)) for time_s in (1.52, 1.56)]
    assert said == [
        Voice(
            stream="cam",
            t_capture_ns=1_500_000_000,
            t_publish_ns=1_500_000_000,
            pts_s=1.5,
            state="heard",
            activity=0.8,
            arousal=0.7,
            arousal_interval=(0.2, 1.0),
            track=3,
            model="voice@1",
        ),
        None,
    ]


def test_too_little_speech_is_quiet_and_no_sound_is_gone_said_once() -> None:
    teller = VoiceTeller("cam")
    quiet = VoiceReading(0.1, end_s=1.5, model="voice@1")
    said = [teller.tell(beside(time_s, voice)) for time_s, voice in ((1.5, quiet), (2.0, None), (2.5, None))]
    states = [None if one is None else (one.state, one.activity, one.arousal, one.t_capture_ns) for one in said]
    assert states == [("quiet", 0.1, None, 1_500_000_000), ("gone", None, None, 2_000_000_000), None]


def test_where_nothing_was_ever_heard_nothing_is_said() -> None:
    assert VoiceTeller("cam").tell(beside(0.0, None)) is None


def test_live_it_waits_for_its_publication() -> None:
    said = VoiceTeller("cam").tell(beside(1.6, replace(SPEAKS, end_s=1.5), live=True))
    assert said is not None
    assert (said.t_publish_ns, said.pts_s) == (0, None)
    assert said.t_capture_ns == 10**18 + 1_500_000_000
