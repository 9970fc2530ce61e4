"""What is measured in a voice, on sounds whose pitch, pace and pauses are known."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from train.data.text.prompts import load_prosody
from train.data.text.prosody import RANGES, describe_voice, write_prosody

RATE_HZ = 16000


def buzz(pitch_hz: float, seconds: float = 1.0, level: float = 0.1) -> Tensor:
    """A voice of five harmonics."""
    time_s = torch.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return level * sum((torch.sin(2 * math.pi * pitch_hz * k * time_s) / k for k in range(1, 6)), torch.zeros(1))


def pitch_hz(score: float) -> float:
    low, high = (math.log(value) for value in RANGES["pitch"])
    return math.exp(low + score * (high - low))


@pytest.mark.parametrize("hz", [90, 120, 200, 280])
def test_the_pitch_is_that_of_the_voice_and_not_of_a_multiple(hz: float) -> None:
    assert pitch_hz(describe_voice(buzz(hz), RATE_HZ)["pitch"]) == pytest.approx(hz, rel=0.02)


def test_a_louder_voice_is_louder_and_nothing_else() -> None:
    soft, loud = (describe_voice(buzz(150, level=level), RATE_HZ) for level in (0.02, 0.2))
    assert loud["loudness"] - soft["loudness"] == pytest.approx(20 / 40, abs=0.01)
    assert {**loud, "loudness": 0} == pytest.approx({**soft, "loudness": 0}, abs=1e-6)


def test_a_steady_pitch_does_not_vary_and_a_changing_one_does() -> None:
    assert describe_voice(buzz(150), RATE_HZ)["pitch variation"] < 0.01
    two = torch.cat([buzz(120), buzz(120 * 2 ** (6 / 12))])
    assert describe_voice(two, RATE_HZ)["pitch variation"] == pytest.approx(3 / 6, abs=0.05)


def test_the_pace_counts_syllables() -> None:
    time_s = torch.arange(3 * RATE_HZ) / RATE_HZ
    spoken = buzz(150, 3.0) * (0.5 - 0.5 * torch.cos(2 * math.pi * 4 * time_s))
    assert describe_voice(spoken, RATE_HZ)["pace"] == pytest.approx(4 / 8, abs=0.05)


def test_a_pause_inside_counts_and_silence_around_does_not() -> None:
    still = torch.zeros(RATE_HZ)
    assert describe_voice(torch.cat([still, buzz(150), buzz(150), still]), RATE_HZ)["pauses"] == 0
    paused = torch.cat([buzz(150), still, buzz(150)])
    assert describe_voice(paused, RATE_HZ)["pauses"] == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize("sound", [torch.zeros(RATE_HZ), torch.zeros(10), 1e-4 * torch.ones(RATE_HZ)])
def test_silence_has_no_voice(sound: Tensor) -> None:
    assert describe_voice(sound, RATE_HZ) == {}


def test_noise_is_no_voice() -> None:
    noise = 0.1 * torch.randn(RATE_HZ, generator=torch.Generator().manual_seed(0))
    assert describe_voice(noise, RATE_HZ) == {}


def test_a_table_of_descriptors_is_read_back(tmp_path: Path) -> None:
    scores = describe_voice(buzz(150), RATE_HZ)
    write_prosody(tmp_path / "a.csv", scores, end_s=1.0)
    assert load_prosody(tmp_path / "a.csv", start_s=0, end_s=1) == pytest.approx(scores, abs=1e-4)
