"""Five plain descriptors of a voice, measured in its sound: a local stand-in for a service that names tones of voice.

Loudness, pitch, variation of pitch, pace and pauses, each brought to [0, 1] by a fixed range. They say how somebody
speaks, not what that means; the service of the published code gives dozens of names such as "amusement" instead, so
that texts made with one do not suit a classifier that was trained with the other.
"""

import csv
import math
from pathlib import Path

import torch
from torch import Tensor

WINDOW_S, HOP_S = 0.04, 0.01
LOWEST_HZ, HIGHEST_HZ = 60.0, 400.0
PERIODICITY = 0.5  # of a window's autocorrelation at its best lag, from which on it is voiced
QUIET_DB = 30.0  # below the loudest window: no speech
LEAST_VOICED_S = 0.1
LEAST_POWER = 1e-10
SYLLABLE_S = 0.1  # shortest distance between two peaks of loudness that count as syllables

# What is 0 and what is 1 of each descriptor.
RANGES = {
    "loudness": (-50.0, -10.0),  # dB of full scale, mean of the speech
    "pitch": (80.0, 300.0),  # Hz, median of the voiced windows, on a logarithmic scale
    "pitch variation": (0.0, 6.0),  # semitones, standard deviation
    "pace": (0.0, 8.0),  # peaks of loudness in a second of the whole sound
    "pauses": (0.0, 1.0),  # share of the windows between first and last speech that hold none
}


def describe_voice(samples: Tensor, rate_hz: int) -> dict[str, float]:
    """Samples (N,) in [-1, 1] → score in [0, 1] by descriptor; empty if there is no voice in them."""
    width, hop = round(WINDOW_S * rate_hz), round(HOP_S * rate_hz)
    if len(samples) < width:
        return {}
    windows = samples.double().unfold(0, width, hop)  # (n, width)
    level_db = 10 * windows.square().mean(dim=1).clamp_min(LEAST_POWER).log10()
    is_loud = (level_db > level_db.max() - QUIET_DB) & (level_db > RANGES["loudness"][0])
    pitch_hz, periodicity = _pitch(windows, rate_hz)
    voiced = is_loud & (periodicity > PERIODICITY)
    if int(voiced.sum()) * HOP_S < LEAST_VOICED_S:
        return {}
    first, last = (int(place) for place in is_loud.nonzero()[[0, -1], 0])
    semitones = 12 * pitch_hz[voiced].log2()
    measured = {
        "loudness": float(level_db[is_loud].mean()),
        "pitch": float(pitch_hz[voiced].median()),
        "pitch variation": float(semitones.std(correction=0)),
        "pace": _peaks(level_db, is_loud) / (len(samples) / rate_hz),
        "pauses": 1 - float(is_loud[first : last + 1].double().mean()),
    }
    return {name: _share(name, value) for name, value in measured.items()}


def write_prosody(file: Path, scores: dict[str, float], *, end_s: float) -> None:
    """Write a table of descriptors as the loaders read it, strongest first, for one stretch from 0 on."""
    with file.open("w", newline="", encoding="utf-8") as lines:
        table = csv.writer(lines)
        table.writerow(["name", "score", "start", "end"])
        for name in sorted(scores, key=lambda key: -scores[key]):
            table.writerow([name, f"{scores[name]:.4f}", 0, f"{end_s:.3f}"])


def _pitch(windows: Tensor, rate_hz: int) -> tuple[Tensor, Tensor]:
    """(n, w) → Hz (n,) and how periodic a window is (n,), at most 1, from its autocorrelation.

    A window correlates less with itself the further it is shifted, by the share that no longer overlaps; that is
    divided out. Of the lags that do about as well as the best one the shortest is taken: the others are its multiples.
    """
    width = windows.shape[1]
    centred = windows - windows.mean(dim=1, keepdim=True)
    spectrum = torch.fft.rfft(centred, 2 * width).abs().square()
    correlation = torch.fft.irfft(spectrum, 2 * width)[:, :width]
    overlap = 1 - torch.arange(width, dtype=windows.dtype) / width
    normed = correlation / (correlation[:, :1].clamp_min(LEAST_POWER) * overlap)
    low, high = math.ceil(rate_hz / HIGHEST_HZ), min(math.floor(rate_hz / LOWEST_HZ), width // 2)
    range_of_lags = normed[:, low : high + 1]
    best = range_of_lags.max(dim=1).values
    is_near = range_of_lags >= 0.9 * best.unsqueeze(1)
    is_peak = is_near & _is_peak(range_of_lags)
    chosen = torch.where(is_peak.any(dim=1, keepdim=True), is_peak, is_near)
    return rate_hz / (low + chosen.double().argmax(dim=1)).double(), best


def _is_peak(values: Tensor) -> Tensor:
    """(n, l) → (n, l) bool, where a value is no smaller than both neighbours; the ends are none."""
    inside = (values[:, 1:-1] >= values[:, :-2]) & (values[:, 1:-1] >= values[:, 2:])
    return torch.nn.functional.pad(inside, (1, 1))


def _peaks(level_db: Tensor, is_loud: Tensor) -> int:
    """Loud windows that are the loudest within the length of a syllable."""
    reach = round(SYLLABLE_S / HOP_S)
    padded = torch.nn.functional.pad(level_db[None], (reach, reach), value=-math.inf)[0]
    around = padded.unfold(0, 2 * reach + 1, 1)
    is_loudest = around.argmax(dim=1) == reach
    stands_out = level_db - around.median(dim=1).values > 1.0
    return int((is_loudest & stands_out & is_loud).sum())


def _share(name: str, value: float) -> float:
    low, high = RANGES[name]
    if name == "pitch":
        low, high, value = math.log(low), math.log(high), math.log(value)
    return min(max((value - low) / (high - low), 0.0), 1.0)
