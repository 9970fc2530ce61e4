"""What health and events say of the sound of a stream."""

import logging

import numpy as np
import pytest

from streamaffect.clock import monotonic_ns
from streamaffect.pipeline.hearing import FLOOR_DB, NEVER_S, SILENT_S, StreamSound
from streamaffect.types import SOUND_RATE_HZ, SoundBlock

TOLD = list[tuple[str, str]]


@pytest.fixture
def told() -> TOLD:
    return []


@pytest.fixture
def sound(told: TOLD) -> StreamSound:
    sound = StreamSound("desk")
    sound.tell_changes_to(lambda change, _downtime_s, detail: told.append((change, detail)))
    return sound


def tone(first_s: float, last_s: float, amplitude: float = 0.1) -> SoundBlock:
    times_s = np.arange(round(first_s * SOUND_RATE_HZ), round(last_s * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    return SoundBlock((amplitude * np.sin(2 * np.pi * 200 * times_s)).astype(np.float32), first_s, 0)


def after(seconds: float) -> int:
    return monotonic_ns() + round(seconds * 1e9)


def test_the_level_is_that_of_the_last_second_and_gaps_lower_the_share(sound: StreamSound) -> None:
    sound.hear(tone(5.0, 7.0, amplitude=1.0), "container")
    sound.hear(tone(8.0, 9.0), "container")
    health = sound.health(9.1)
    assert (health.state, health.clock, health.detail) == ("heard", "container", "")
    assert health.level_db == pytest.approx(-23.0, abs=0.05)
    assert health.heard_share == pytest.approx(0.75)
    assert health.behind_s == pytest.approx(0.1)


def test_digital_silence_is_heard_and_has_a_finite_level(sound: StreamSound) -> None:
    sound.hear(tone(0.0, 1.0, amplitude=0.0), "device")
    assert (sound.health(None).state, sound.health(None).level_db) == ("heard", FLOOR_DB)


def test_before_the_first_sound_nothing_is_claimed(sound: StreamSound) -> None:
    health = sound.health(3.0)
    assert (health.state, health.clock, health.level_db, health.heard_share) == ("waiting", None, None, 0.0)


def test_sound_that_stops_is_lost_once_and_back_with_the_next_block(sound: StreamSound, told: TOLD) -> None:
    sound.hear(tone(0.0, 1.0), "sender")
    sound.look(after(SILENT_S - 1))
    assert told == []
    sound.look(after(SILENT_S + 1))
    sound.look(after(SILENT_S + 2))
    assert [change for change, _ in told] == ["sound_lost"]
    assert (sound.health(None).state, sound.health(None).level_db) == ("lost", None)
    sound.hear(tone(6.0, 7.0), "sender")
    assert [change for change, _ in told] == ["sound_lost", "sound_back"]


def test_sound_that_never_comes_is_lost_after_a_while(sound: StreamSound, told: TOLD) -> None:
    sound.look(after(SILENT_S + 1))
    assert told == []
    sound.look(after(NEVER_S + 1))
    assert [change for change, _ in told] == ["sound_lost"]


def test_a_stream_without_sound_says_why_in_one_line_and_is_never_lost(
    sound: StreamSound, told: TOLD, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        sound.absent("a.mp4: has no sound")
    sound.look(after(100))
    assert caplog.messages == ["a.mp4: has no sound; the stream goes on without it"]
    assert (sound.health(None).state, sound.health(None).detail, told) == ("absent", "a.mp4: has no sound", [])
