"""Further windows to learn from: of other lengths, and of deeper voices."""

import numpy as np
import pytest
from msgspec.structs import replace

from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import SOUND_RATE_HZ, FloatArray, SoundBlock
from streamaffect.voice.model import VoiceModel
from streamaffect.voice.reader import VoiceReader
from streamaffect.voice.timbre import KNOWN
from tests.support.training.runs import CONFIGS
from train.config import read_recipe
from train.methods.voice.data import cuts_of, drawn_voice, measure, noisy, slowed
from train.methods.voice.recipe import VoiceRecipe


@pytest.fixture
def recipe() -> VoiceRecipe:
    return read_recipe(CONFIGS / "voice" / "smoke.toml", VoiceRecipe)


@pytest.fixture
def voice() -> FloatArray:
    return drawn_voice(0.0, np.random.default_rng(1), np.arange(4 * SOUND_RATE_HZ) / SOUND_RATE_HZ)


def test_a_slowed_tone_is_deeper_by_that_factor_and_no_louder() -> None:
    tone = np.sin(2 * np.pi * 400.0 * np.arange(SOUND_RATE_HZ) / SOUND_RATE_HZ).astype(np.float32)
    found = slowed(tone, 0.8)
    assert len(found) == 20_000
    assert np.abs(np.fft.rfft(found)).argmax() * SOUND_RATE_HZ / len(found) == 320.0
    assert float(found.std()) == pytest.approx(float(tone.std()), rel=0.01)


def test_noise_is_so_far_below_the_voice(voice: FloatArray) -> None:
    added = noisy(voice, 20.0, np.random.default_rng(0)) - voice
    assert 20 * np.log10(voice.std() / added.std()) == pytest.approx(20.0, abs=0.2)


def test_cuts_have_random_places_and_lengths(recipe: VoiceRecipe, voice: FloatArray) -> None:
    cuts = list(cuts_of(voice, replace(recipe, cuts=20, shortest_s=0.6), np.random.default_rng(0)))
    lengths_s = [len(cut) / SOUND_RATE_HZ for cut in cuts]
    assert 0.6 <= min(lengths_s) < 0.9
    assert 1.7 < max(lengths_s) <= 2.0


def test_deepened_voices_lie_between_the_deepest_and_their_own(recipe: VoiceRecipe, voice: FloatArray) -> None:
    own, deepened = (
        median_pitches(replace(recipe, shortest_s=2.0, deepest=0.7, **{key: 12}), voice) for key in ("cuts", "deepened")
    )
    lowest = 12 * np.log2(0.7)
    assert own.max() - own.min() < 2.0
    assert own.min() + lowest - 1.0 < deepened.min() < own.min() - 2.0
    assert deepened.max() < own.max() + 0.5


def median_pitches(recipe: VoiceRecipe, voice: FloatArray) -> FloatArray:
    """Semitones of each further window."""
    rows = [measure(cut) for cut in cuts_of(voice, recipe, np.random.default_rng(0))]
    return np.array([row[KNOWN.index("pitch_median")] for row in rows if row is not None])


def test_a_voice_that_streams_in_blocks_is_read_as_the_window_that_is_learned_from() -> None:
    """The shipped model, on a voice that Silero takes for one."""
    model, samples = VoiceModel(), drawn_voice(-0.8, np.random.default_rng(0), np.arange(32_000) / SOUND_RATE_HZ)
    ring = SoundRing()
    for start in range(0, len(samples), 333):
        ring.push(SoundBlock(samples[start : start + 333], start / SOUND_RATE_HZ, 0))
    reading, whole = VoiceReader(model, ring).read(2.0), model.read(samples)
    assert reading is not None and reading.arousal is not None
    assert reading.arousal == whole.arousal == model.arousal(samples)
    assert reading.activity == whole.activity


def test_sound_of_8_khz_is_told_apart_as_well() -> None:
    rng, time_s = np.random.default_rng(5), np.arange(2 * SOUND_RATE_HZ) / SOUND_RATE_HZ
    calm, excited = (VoiceModel().arousal(narrow(drawn_voice(arousal, rng, time_s))) for arousal in (-0.8, 0.8))
    assert calm is not None and excited is not None and excited > calm + 0.3


def narrow(samples: FloatArray) -> FloatArray:
    """What 8 kHz can hold."""
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / SOUND_RATE_HZ) > 3900] = 0
    return np.asarray(np.fft.irfft(spectrum, len(samples)), np.float32)
