"""The log-mel spectrogram against a slow one by hand, and on sounds with a known answer."""

import math

import numpy as np
import pytest
import torch

from train.audiovisual.log_mel import PUBLISHED, LogMelConfig, log_mel, mel_filters
from train.audiovisual.spectrogram_encoder import LogMel

SMALL = LogMelConfig(rate_hz=8000, bands=12, fft=256, window=200, hop=100, least_samples=400)


def tone(frequency_hz: float, *, rate_hz: int, samples: int) -> torch.Tensor:
    return (2 * math.pi * frequency_hz * torch.arange(samples) / rate_hz).sin() * 0.5


def decibels(spectrogram: torch.Tensor, config: LogMelConfig) -> torch.Tensor:
    return spectrogram * config.deviation_db + config.mean_db


def test_a_column_is_the_windowed_power_that_falls_into_each_band() -> None:
    samples = torch.randn(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SMALL.window) / SMALL.window)
    excerpt = samples[500 - 100 : 500 + 100].numpy() * hann  # column 5 is centred on sample 500
    power = np.abs(np.fft.rfft(excerpt, SMALL.fft)) ** 2
    expected = 10 * np.log10(mel_filters(SMALL).double().numpy() @ power)
    found = decibels(log_mel(samples, SMALL), SMALL)[:, 5]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("band", [15, 30, 55])
def test_a_tone_is_loudest_in_the_band_that_is_centred_on_it(band: int) -> None:
    highest_mel = 2595 * math.log10(1 + PUBLISHED.rate_hz / 2 / 700)
    frequency_hz = 700 * (10 ** (highest_mel * (band + 1) / 65 / 2595) - 1)
    spectrogram = log_mel(tone(frequency_hz, rate_hz=PUBLISHED.rate_hz, samples=45599))
    assert spectrogram[:, 50].argmax() == band


def test_twice_the_amplitude_is_six_decibels_more() -> None:
    samples = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    louder = decibels(log_mel(2 * samples, SMALL), SMALL) - decibels(log_mel(samples, SMALL), SMALL)
    torch.testing.assert_close(louder, torch.full_like(louder, 20 * math.log10(2)), rtol=0, atol=1e-3)


def test_silence_is_at_minus_a_hundred_decibels() -> None:
    spectrogram = log_mel(torch.zeros(45599))
    assert spectrogram.shape == (64, 104)
    torch.testing.assert_close(spectrogram, torch.full((64, 104), (-100 + 14.8) / 19.895))


def test_short_sound_stays_at_the_end() -> None:
    samples = torch.randn(2, 3, 300, generator=torch.Generator().manual_seed(0))
    padded = torch.cat([torch.zeros(2, 3, 100), samples], dim=-1)
    spectrogram = log_mel(samples, SMALL)
    assert spectrogram.shape == (2, 3, 12, 5)
    torch.testing.assert_close(spectrogram, log_mel(padded, SMALL))


def test_the_bands_cover_the_spectrum_without_gaps() -> None:
    filters = mel_filters()
    assert filters.shape == (64, 513)
    assert ((filters.sum(dim=0)[1:-1] > 0.3) & (filters.sum(dim=0)[1:-1] <= 1 + 1e-6))[20:-20].all()


@pytest.mark.parametrize("config", [PUBLISHED, SMALL, LogMelConfig(fft=257, window=200, hop=99, least_samples=2050)])
def test_the_spectrogram_of_plain_convolutions_is_the_same(config: LogMelConfig) -> None:
    sounds = 0.1 * torch.randn(3, config.least_samples, generator=torch.Generator().manual_seed(0))
    sounds[1, : config.least_samples // 2] = 0
    sounds[2] = 0
    torch.testing.assert_close(LogMel(config)(sounds), log_mel(sounds, config), rtol=0, atol=1e-4)


def test_a_window_that_is_longer_than_the_transform_is_refused() -> None:
    with pytest.raises(ValueError, match="window is 300 samples, expected at most fft, 256"):
        LogMelConfig(fft=256, window=300)
