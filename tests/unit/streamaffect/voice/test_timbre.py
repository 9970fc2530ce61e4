"""What else is measured of a voice, on voices whose pitch and spectrum are known."""

import numpy as np
import pytest

from streamaffect.types import SOUND_RATE_HZ, FloatArray
from streamaffect.voice.prosody import FEATURES, voice_in
from streamaffect.voice.timbre import KNOWN, SHAPES, TIMBRE, timbre_of

TIME_S = np.arange(2 * SOUND_RATE_HZ) / SOUND_RATE_HZ


def voice(
    *, tilt: float = 1.0, reach: float = 0.0, opens: float = 0.0, syllables_hz: float = 3.0, steady: bool = False
) -> FloatArray:
    """110 Hz that moves by `reach` semitones to each side; `opens`: so much brighter where it is high."""
    moves = np.sin(2 * np.pi * 1.0 * TIME_S)
    phase = 2 * np.pi * np.cumsum(110.0 * 2 ** (reach * moves / 12)) / SOUND_RATE_HZ
    buzz = sum(np.sin(k * phase) / k ** (tilt - opens * moves) for k in range(1, 58))  # up to 7.5 kHz
    syllables = np.clip(np.sin(2 * np.pi * syllables_hz * TIME_S), 0.0, 1.0)
    noise = 1e-3 * np.random.default_rng(0).normal(size=len(TIME_S))
    return np.asarray(0.1 * (buzz * (1.0 if steady else syllables) + noise), np.float32)


def measured(samples: FloatArray) -> dict[str, float]:
    frames = voice_in(samples)
    assert frames is not None
    return dict(zip(TIMBRE, timbre_of(frames).tolist(), strict=True))


def test_numbers_have_names_of_their_own() -> None:
    assert len(set(KNOWN)) == len(FEATURES) + len(TIMBRE)
    assert KNOWN[: len(FEATURES)] == FEATURES


def test_no_gain_changes_anything() -> None:
    plain, loud, faint = (measured(gain * voice(reach=3.0)) for gain in (1.0, 8.0, 0.01))
    assert loud == pytest.approx(plain, rel=1e-3, abs=1e-3)
    assert faint == pytest.approx(plain, rel=1e-3, abs=1e-3)


def test_reach_is_how_far_pitch_goes() -> None:
    still, moving = measured(voice(steady=True)), measured(voice(reach=4.0, steady=True))
    assert still["pitch_range"] < 0.2
    assert moving["pitch_range"] == pytest.approx(2 * 4.0 * np.sin(np.pi * 0.4), abs=0.5)
    assert moving["pitch_highest"] == pytest.approx(12 + 4, abs=0.4)
    assert moving["pitch_low"] == pytest.approx(12 - 4 * np.sin(np.pi * 0.4), abs=0.4)
    assert moving["pitch_leap"] > still["pitch_leap"]


def test_balance_is_the_power_of_parts_of_the_spectrum() -> None:
    """Harmonics of power 1 / k^(2 tilt) in each part, summed."""
    hz = 110.0 * np.arange(1, 58)
    for tilt in (0.5, 1.0):
        found, power = measured(voice(tilt=tilt, steady=True)), hz ** (-2 * tilt)
        lowest, low, high = (power[(hz >= a) & (hz < b)].sum() for a, b in ((60, 550), (550, 1300), (1300, 5200)))
        assert found["balance_550_db"] == pytest.approx(10 * np.log10(low / lowest), abs=1.0)
        assert found["tilt_1300_db"] == pytest.approx(10 * np.log10(high / (lowest + low)), abs=1.0)


def test_a_voice_that_opens_as_it_rises_has_a_shape_that_goes_with_pitch() -> None:
    """The first shape falls from low to high frequencies: brighter is less of it."""
    opening, closing = (measured(voice(reach=3.0, opens=sign * 0.3, steady=True)) for sign in (1, -1))
    assert opening["shape_1_with_pitch"] < -0.8
    assert closing["shape_1_with_pitch"] > 0.8


def test_shapes_by_level_say_what_a_decibel_changes() -> None:
    found = measured(voice())
    assert all(np.isfinite(found[f"shape_{number}_by_level"]) for number in range(1, SHAPES + 1))


def test_stretches_are_counted() -> None:
    assert measured(voice(syllables_hz=3.0))["stretches"] == pytest.approx(3.0, abs=0.6)
    assert measured(voice(syllables_hz=5.0))["stretches"] == pytest.approx(5.0, abs=0.8)
    assert measured(voice(steady=True))["stretches"] == pytest.approx(0.5, abs=0.1)


def test_what_is_loud_without_a_pitch_parts_stretches() -> None:
    hissing = np.sin(2 * np.pi * 2.0 * TIME_S) < 0
    noise = 0.1 * np.random.default_rng(1).normal(size=len(TIME_S))
    samples = np.where(hissing, noise, voice(steady=True)).astype(np.float32)
    assert measured(samples)["stretches"] == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("length_s", [0.3, 0.5, 2.0])
@pytest.mark.parametrize("gap_s", [0.0, 0.1])
def test_every_number_is_finite_for_whatever_holds_a_voice(length_s: float, gap_s: float) -> None:
    """Clipped, exactly periodic, cut by digital silence: nothing divides by what may be 0."""
    samples = np.sign(np.sin(2 * np.pi * 125.0 * TIME_S)).astype(np.float32)[: round(length_s * SOUND_RATE_HZ)]
    samples[: round(gap_s * SOUND_RATE_HZ)] = 0.0
    assert all(np.isfinite(value) for value in measured(samples).values())
