"""How something is said, in numbers that do not depend on how loud it arrives: pitch, brightness, contour, pace.

Every level is taken relative to the loudest of the same window, so that a gain, a distance or the sensitivity of
another microphone changes nothing. The families are those of the minimal acoustic parameter set (Eyben et al., IEEE
Transactions on Affective Computing 7, 2016), without its absolute loudness.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from streamaffect.types import SOUND_RATE_HZ, BoolArray, FloatArray, TimeArray

FRAME_S, HOP_S = 0.04, 0.01
FRAME, HOP = round(FRAME_S * SOUND_RATE_HZ), round(HOP_S * SOUND_RATE_HZ)
FFT = 2 * FRAME
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
VOICED = 0.5  # periodicity from which on a frame has a pitch
CLEAR, CLEAR_DB = 0.7, -15.0  # and from which on, and from which level on, it is one to rely on
QUIET_DB = -30.0  # below the loudest frame of a window: no speech
LEAST_VOICED_S, LEAST_S = 0.15, 0.3
LEAST_POWER = 1e-12
SYLLABLE_S = 0.08  # to each side of a peak of loudness that counts as a syllable
LOUDNESS_EXPONENT = 0.3  # from power to loudness: Stevens 1957
PITCH_REFERENCE_HZ = 55.0
LARGEST_STEP = 3.0  # semitones in 10 ms; more is an error of an octave

FEATURES = (
    "pitch",  # semitones above 55 Hz, weighted by power
    "pitch_median",
    "pitch_high",  # 90th percentile
    "pitch_deviation",
    "pitch_movement",  # semitones in 10 ms
    "pitch_with_level",  # correlation
    "brightness",  # mean of log2 frequency over loudness, weighted by power
    "brightness_low",  # 10th percentile
    "brightness_high",
    "brightness_deviation",
    "tilt_db",  # 1 to 5 kHz against what lies below
    "hammarberg_db",  # highest peak below 2 kHz against the highest from 2 to 5 kHz
    "flux_db",  # change of the spectrum's shape in 10 ms
    "level_deviation_db",
    "pace",  # syllables in a second
    "pauses",  # share
    "voiced",  # share of what is loud
)


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of 40 ms, one every 10 ms.

    level_db:    (n,) against the loudest one, at most 0
    loud:        (n,) bool, speech rather than the pauses in it
    voiced:      (n,) bool, loud and with a pitch
    clear:       (n,) bool, with a pitch to rely on
    semitones:   (n,) above 55 Hz; without meaning where there is no pitch
    power:       (n, FFT / 2 + 1) spectrum
    """

    level_db: TimeArray
    loud: BoolArray
    voiced: BoolArray
    clear: BoolArray
    semitones: TimeArray
    power: TimeArray


def voice_in(samples: FloatArray) -> Frames | None:
    """The frames of a window (N,) at `SOUND_RATE_HZ`; None where there is no voice in it.

    samples: a second or two; more than that is averaged over
    """
    frames = cut(samples)
    return None if frames is None or frames.voiced.sum() * HOP_S < LEAST_VOICED_S else frames


def prosody_of(frames: Frames) -> FloatArray:
    """The features of a window with a voice in it: (len(FEATURES),) float32."""
    return np.concatenate([_pitch(frames), _spectrum(frames), _contour(frames)]).astype(np.float32)


def cut(samples: FloatArray) -> Frames | None:
    """The frames of a window of sound; None where it is too short, or digital silence."""
    if len(samples) < LEAST_S * SOUND_RATE_HZ:
        return None
    windows = sliding_window_view(samples, FRAME)[::HOP].astype(np.float64)
    windows = windows - windows.mean(axis=1, keepdims=True)
    energy = np.mean(np.square(windows), axis=1)
    if energy.max() < LEAST_POWER:
        return None
    windows /= np.sqrt(energy.max())
    level_db = 10 * np.log10(energy / energy.max() + LEAST_POWER)
    loud = level_db > QUIET_DB
    semitones, periodicity = _pitches(windows)
    voiced = loud & (periodicity > VOICED)
    clear = (level_db > CLEAR_DB) & (periodicity > CLEAR)
    power = np.square(np.abs(np.fft.rfft(windows * np.hanning(FRAME), FFT)))
    return Frames(level_db, loud, voiced, clear if clear.sum() * HOP_S >= 0.05 else voiced, semitones, power)


def _pitches(windows: TimeArray) -> tuple[TimeArray, TimeArray]:
    """Semitones (n,), and how periodic a frame is (n,) in [0, 1], from its autocorrelation (Boersma 1993).

    A frame correlates less with itself the further it is shifted, by the share that no longer overlaps; that is
    divided out. Of the peaks that are about as high as the highest the shortest lag is taken: the others are multiples.
    """
    spectrum = np.square(np.abs(np.fft.rfft(windows, FFT)))
    correlation = np.fft.irfft(spectrum, FFT)[:, :FRAME]
    overlap = 1 - np.arange(FRAME) / FRAME
    normed = correlation / (np.maximum(correlation[:, :1], LEAST_POWER) * overlap)
    first, last = int(np.ceil(SOUND_RATE_HZ / HIGHEST_HZ)), int(SOUND_RATE_HZ / LOWEST_HZ)
    lags = normed[:, first - 1 : last + 2]
    inner = lags[:, 1:-1]
    is_peak = (inner >= lags[:, :-2]) & (inner >= lags[:, 2:])
    highest = np.where(is_peak, inner, 0.0).max(axis=1)
    shortest = (is_peak & (inner >= 0.9 * highest[:, None])).argmax(axis=1)
    hz = SOUND_RATE_HZ / (first + shortest)
    return 12 * np.log2(hz / PITCH_REFERENCE_HZ), np.clip(highest, 0.0, 1.0)


def _pitch(frames: Frames) -> TimeArray:
    semitones, level_db = frames.semitones[frames.clear], frames.level_db[frames.clear]
    median, high = np.percentile(semitones, [50, 90])
    both = frames.voiced[1:] & frames.voiced[:-1]
    steps = np.abs(np.diff(frames.semitones))[both]
    steps = steps[steps < LARGEST_STEP]
    movement = steps.mean() if len(steps) else 0.0
    weighted = _weights(level_db) @ semitones
    return np.array([weighted, median, high, semitones.std(), movement, _with_level(frames)])


def _with_level(frames: Frames) -> float:
    """How far pitch and level rise together: a correlation."""
    pitch, level = (
        values - values.mean() for values in (frames.semitones[frames.voiced], frames.level_db[frames.voiced])
    )
    return float(pitch @ level / max(float(np.linalg.norm(pitch) * np.linalg.norm(level)), 1e-6))


def _spectrum(frames: Frames) -> TimeArray:
    power = frames.power[frames.voiced] + LEAST_POWER
    hz = np.arange(FFT // 2 + 1, dtype=np.float64) * (SOUND_RATE_HZ / FFT)
    audible = _within(hz, 50, 7000)
    loudness = power[:, audible] ** LOUDNESS_EXPONENT
    brightness = (loudness @ np.log2(hz[audible])) / loudness.sum(axis=1)
    weighted = _weights(frames.level_db[frames.voiced]) @ brightness
    low, high = np.percentile(brightness, [10, 90])
    tilt_db = _db(power[:, _within(hz, 1000, 5000)].sum(axis=1)) - _db(power[:, _within(hz, 50, 1000)].sum(axis=1))
    hammarberg_db = _db(power[:, _within(hz, 50, 2000)].max(axis=1)) - _db(
        power[:, _within(hz, 2000, 5000)].max(axis=1)
    )
    shape_db = _db(loudness / loudness.sum(axis=1, keepdims=True))
    flux_db = np.abs(np.diff(shape_db, axis=0)).mean()
    return np.array([weighted, low, high, brightness.std(), tilt_db.mean(), hammarberg_db.mean(), flux_db])


def _contour(frames: Frames) -> TimeArray:
    first, last = np.flatnonzero(frames.loud)[[0, -1]]
    span = frames.level_db[first : last + 1]
    return np.array(
        [
            frames.level_db[frames.loud].std(),
            _syllables(span) / (len(span) * HOP_S),
            1 - frames.loud[first : last + 1].mean(),
            frames.voiced.sum() / frames.loud.sum(),
        ]
    )


def _syllables(level_db: TimeArray) -> int:
    """Frames that are the loudest around, and stand out."""
    reach = round(SYLLABLE_S / HOP_S)
    around = sliding_window_view(np.pad(level_db, reach, constant_values=-120.0), 2 * reach + 1)
    is_peak = (around.argmax(axis=1) == reach) & (level_db > QUIET_DB + 6)
    return int((is_peak & (level_db - np.median(around, axis=1) > 1.0)).sum())


def _weights(level_db: TimeArray) -> TimeArray:
    power = 10 ** (level_db / 10)
    found: TimeArray = power / power.sum()
    return found


def _db(power: TimeArray) -> TimeArray:
    found: TimeArray = 10 * np.log10(power)
    return found


def _within(hz: TimeArray, low: float, high: float) -> BoolArray:
    found: BoolArray = (hz >= low) & (hz < high)
    return found
