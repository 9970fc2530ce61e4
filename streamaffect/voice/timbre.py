"""Further numbers of how something is said: the reach of its pitch, its spectrum's balance, and how both go together.

None depends on the level, as in `prosody.py`. How the spectrum's shape follows pitch within a window is told by
correlations, and how it follows the level by slopes; no other microphone or room changes these much.
"""

import itertools
from functools import cache

import numpy as np

from streamaffect.types import SOUND_RATE_HZ, FloatArray, TimeArray
from streamaffect.voice.prosody import FEATURES, FFT, HOP_S, LARGEST_STEP, LEAST_POWER, Frames

BANDS, LOWEST_HZ, HIGHEST_HZ = 32, 60.0, 7000.0  # mel bands
SHAPES = 6  # of the spectrum: cosines over the mel bands, the first one its tilt
DEPTH_DB = 60.0  # below the loudest band of a window: nothing to hear
EDGES_HZ = (60.0, 550.0, 1300.0, 2650.0, 5200.0)  # between the parts of a spectrum whose balance is told

TIMBRE = (
    "pitch_low",  # semitones above 55 Hz, 10th percentile
    "pitch_range",  # from there to the 90th
    "pitch_highest",
    "pitch_leap",  # semitones in 10 ms, 80th percentile
    "pitch_leap_deviation",
    "balance_550_db",  # power from that frequency to the next edge, against the part below
    "balance_1300_db",
    "balance_2650_db",
    "tilt_1300_db",
    "tilt_deviation_db",  # of what is above 1300 Hz against what is below
    "stretches",  # voiced ones in a second
    *(f"shape_{number}_with_pitch" for number in range(1, SHAPES + 1)),  # correlations
    *(f"shape_{number}_by_level" for number in range(1, SHAPES + 1)),  # dB for each dB of level
)

KNOWN = (*FEATURES, *TIMBRE)


def timbre_of(frames: Frames) -> FloatArray:
    """The numbers of a window with a voice in it → (len(TIMBRE),) float32."""
    return np.concatenate([_reach(frames), _balance(frames), _stretches(frames), _shapes(frames)]).astype(np.float32)


def _reach(frames: Frames) -> TimeArray:
    semitones = frames.semitones[frames.clear]
    low, high = np.percentile(semitones, [10, 90])
    both = frames.voiced[1:] & frames.voiced[:-1]
    steps = np.diff(frames.semitones)[both]
    steps = steps[np.abs(steps) < LARGEST_STEP]
    leap, deviation = (np.percentile(np.abs(steps), 80), steps.std()) if len(steps) else (0.0, 0.0)
    return np.array([low, high - low, semitones.max(), leap, deviation])


def _balance(frames: Frames) -> TimeArray:
    power = frames.power[frames.voiced] + frames.power.max() * 10 ** (-DEPTH_DB / 10)
    hz = np.arange(FFT // 2 + 1) * (SOUND_RATE_HZ / FFT)
    parts = np.stack([power[:, (hz >= low) & (hz < high)].sum(axis=1) for low, high in itertools.pairwise(EDGES_HZ)])
    tilt_db = 10 * np.log10(parts[2:].sum(axis=0) / parts[:2].sum(axis=0))
    return np.append(np.diff(10 * np.log10(parts), axis=0).mean(axis=1), [tilt_db.mean(), tilt_db.std()])


def _stretches(frames: Frames) -> TimeArray:
    first, last = np.flatnonzero(frames.loud)[[0, -1]]
    begins = np.diff(frames.voiced.astype(np.int8), prepend=0) == 1
    return np.array([begins.sum() / ((last - first + 1) * HOP_S)])


def _shapes(frames: Frames) -> TimeArray:
    """How each shape of the spectrum goes with pitch, in [-1, 1], and how much of it a decibel brings: (2 SHAPES,)."""
    filters, cosines = _filters()
    mel_db = 10 * np.log10(frames.power[frames.voiced] @ filters + LEAST_POWER)
    shapes = np.maximum(mel_db, mel_db.max() - DEPTH_DB) @ cosines
    pitch = frames.semitones[frames.voiced]
    shapes, pitch = shapes - shapes.mean(axis=0), pitch - pitch.mean()
    lengths = np.linalg.norm(shapes, axis=0) * np.linalg.norm(pitch)
    level = frames.level_db[frames.voiced]
    level = level - level.mean()
    return np.concatenate([(pitch @ shapes) / np.maximum(lengths, 1e-6), (level @ shapes) / (level @ level + 1.0)])


@cache
def _filters() -> tuple[TimeArray, TimeArray]:
    """Triangles in mel (FFT / 2 + 1, BANDS), each of sum 1, and cosines over them (BANDS, SHAPES)."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    edges = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    hz = np.arange(FFT // 2 + 1)[:, None] * (SOUND_RATE_HZ / FFT)
    triangles = np.maximum(0.0, np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle)))
    cosines = np.cos(np.pi * (np.arange(BANDS)[:, None] + 0.5) * np.arange(1, SHAPES + 1) / BANDS)
    return triangles / triangles.sum(axis=0), cosines * np.sqrt(2 / BANDS)
