"""What is measured of a voice, on voices of known pitch and brightness."""

import numpy as np
import pytest

from streamaffect.types import SOUND_RATE_HZ, FloatArray
from streamaffect.voice.prosody import FEATURES, prosody_of, voice_in

TIME_S = np.arange(2 * SOUND_RATE_HZ) / SOUND_RATE_HZ


def voice(hz: float = 110.0, *, tilt: float = 1.0, syllables_hz: float = 3.0) -> FloatArray:
    buzz = sum(np.sin(2 * np.pi * k * hz * TIME_S) / k**tilt for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * syllables_hz * TIME_S), 0.0, 1.0)
    noise = 1e-3 * np.random.default_rng(0).normal(size=len(TIME_S))
    return np.asarray(0.1 * (buzz * syllables + noise), np.float32)


def measured(samples: FloatArray) -> dict[str, float]:
    frames = voice_in(samples)
    assert frames is not None
    return dict(zip(FEATURES, prosody_of(frames).tolist(), strict=True))


def test_no_gain_changes_anything() -> None:
    plain, loud, faint = (measured(gain * voice()) for gain in (1.0, 8.0, 0.01))
    assert loud == pytest.approx(plain, rel=1e-3, abs=1e-3)
    assert faint == pytest.approx(plain, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("hz", [90.0, 140.0, 220.0, 330.0])
def test_pitch_is_that_of_the_voice(hz: float) -> None:
    found = measured(voice(hz))
    assert found["pitch"] == pytest.approx(12 * np.log2(hz / 55), abs=0.4)
    assert found["pitch_movement"] < 0.2


def test_a_brighter_voice_is_brighter_and_less_tilted() -> None:
    dark, bright = measured(voice(tilt=1.5)), measured(voice(tilt=0.8))
    assert bright["brightness"] > dark["brightness"] + 0.1
    assert bright["tilt_db"] > dark["tilt_db"] + 5
    assert bright["hammarberg_db"] < dark["hammarberg_db"] - 5


def test_pace_counts_syllables() -> None:
    assert measured(voice(syllables_hz=3.0))["pace"] == pytest.approx(3.0, abs=0.6)
    assert measured(voice(syllables_hz=5.0))["pace"] == pytest.approx(5.0, abs=0.8)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(32_000, np.float32),
        np.zeros(0, np.float32),
        0.1 * np.ones(1_000, np.float32),
        0.1 * np.random.default_rng(1).normal(size=32_000).astype(np.float32),
    ],
    ids=["silence", "nothing", "too short", "noise"],
)
def test_what_has_no_voice_has_no_prosody(samples: FloatArray) -> None:
    assert voice_in(samples) is None
