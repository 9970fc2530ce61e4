"""What a voice model learns from: windows of speech, described by their prosody; and drawn voices without data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamaffect.types import SOUND_RATE_HZ, FloatArray, TimeArray
from streamaffect.voice.prosody import prosody_of, voice_in
from streamaffect.voice.timbre import timbre_of

from ...audiovisual.speech import SpeechClip, load_speech, sounds
from ...errors import DataError
from ...loop.context import Context
from .recipe import VoiceRecipe

LABELLED = "an arousal"
NOISE_DB = (15.0, 45.0)  # below the voice


@dataclass(frozen=True, slots=True)
class Voices:
    """Windows of speech. features (N, F), arousal (N, 1), and of each window the number of its clip, (N,) int64."""

    features: Tensor
    arousal: Tensor
    clips: Tensor

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, slots=True)
class VoiceData:
    """Windows to train on, those of speakers held out, and those of corpora that were never trained on, by name."""

    train: Voices
    valid: Voices
    unseen: dict[str, Voices]


def load_voices(recipe: VoiceRecipe, context: Context) -> VoiceData:
    """The windows of the recipe's source. Raises DataError if they are missing or not as described."""
    if recipe.data == "drawn":
        train, valid = (_described(_drawn(recipe, recipe.seed + i), recipe) for i in range(2))
        return VoiceData(train, valid, unseen={})
    clips = load_speech(context.data_folder("clips.csv and the sound files that it names"))
    known = [clip for clip in clips if clip.arousal is not None]
    mine = [clip for clip in known if clip.tier == recipe.tier]
    by_split = {split: [clip for clip in mine if clip.split == split] for split in ("train", "valid")}
    if not all(by_split.values()):
        raise DataError(f"no clips of the tier {recipe.tier!r} with {LABELLED} to train on and to hold out")
    corpora = sorted({clip.corpus for clip in known} - {clip.corpus for clip in mine})
    unseen = {corpus: [clip for clip in known if clip.corpus == corpus] for corpus in corpora}
    return VoiceData(
        _described(_labelled(by_split["train"]), recipe, cut=True),
        _described(_labelled(by_split["valid"]), recipe),
        {corpus: _described(_labelled(part), recipe) for corpus, part in unseen.items()},
    )


def windows(samples: FloatArray, window_s: float, hop_s: float) -> Iterator[FloatArray]:
    """Windows of a clip, the last one at its end; one that is shorter is its own only window."""
    size, hop = round(window_s * SOUND_RATE_HZ), round(hop_s * SOUND_RATE_HZ)
    starts = range(len(samples) - size, -1, -hop) if len(samples) > size else [0]
    return (samples[max(0, start) : max(0, start) + size] for start in starts)


def _labelled(clips: Sequence[SpeechClip]) -> Iterator[tuple[FloatArray, float]]:
    for clip, samples in sounds(clips):
        assert clip.arousal is not None
        yield samples, clip.arousal


def _described(clips: Iterator[tuple[FloatArray, float]], recipe: VoiceRecipe, *, cut: bool = False) -> Voices:
    rng = np.random.default_rng(recipe.seed)
    width = len(recipe.features)  # which are the first ones
    features, arousal, numbers = [], [], []
    for number, (samples, label) in enumerate(clips):
        parts = [*windows(samples, recipe.window_s, recipe.hop_s), *(cuts_of(samples, recipe, rng) if cut else ())]
        found = [row[:width] for part in parts if (row := measure(part)) is not None]
        features += found
        arousal += [label] * len(found)
        numbers += [number] * len(found)
    if not features:
        raise DataError("no voice was found in any clip; their sound is empty, or holds no speech")
    labels = torch.tensor(arousal, dtype=torch.float32)[:, None]
    return Voices(torch.from_numpy(np.stack(features)), labels, torch.tensor(numbers))


def measure(samples: FloatArray) -> FloatArray | None:
    """All numbers of a window, (len(KNOWN),) float32; None where there is no voice."""
    frames = voice_in(samples)
    return None if frames is None else np.concatenate([prosody_of(frames), timbre_of(frames)])


def cuts_of(samples: FloatArray, recipe: VoiceRecipe, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Further windows to train on, of random place and length, in its own voice and in deeper ones."""
    for _ in range(recipe.cuts):
        yield _cut(samples, recipe, rng)
    for number in range(recipe.deepened + recipe.noisy):
        deeper = _cut(slowed(samples, float(rng.uniform(recipe.deepest, 1.0))), recipe, rng)
        yield deeper if number < recipe.deepened else noisy(deeper, float(rng.uniform(*NOISE_DB)), rng)


def _cut(samples: FloatArray, recipe: VoiceRecipe, rng: np.random.Generator) -> FloatArray:
    """A piece of random place and length."""
    shortest = min(round(recipe.shortest_s * SOUND_RATE_HZ), len(samples))
    longest = min(round(recipe.window_s * SOUND_RATE_HZ), len(samples))
    size = int(rng.integers(shortest, longest + 1))
    start = int(rng.integers(0, len(samples) - size + 1))
    return samples[start : start + size]


def slowed(samples: FloatArray, speed: float) -> FloatArray:
    """Sound (N,) at a speed of at most 1 → (N / speed,): all its frequencies are lower by that factor."""
    count = round(len(samples) / speed)
    found = np.fft.irfft(np.fft.rfft(samples), count) * (count / len(samples))
    return np.asarray(found, np.float32)


def noisy(samples: FloatArray, below_db: float, rng: np.random.Generator) -> FloatArray:
    """Sound (N,) with white noise so far below its power."""
    deviation = float(np.sqrt(np.mean(np.square(samples)))) * 10 ** (-below_db / 20)
    return samples + deviation * rng.normal(size=len(samples)).astype(np.float32)


def _drawn(recipe: VoiceRecipe, seed: int) -> Iterator[tuple[FloatArray, float]]:
    """Buzzes in syllables: the more aroused, the higher, the brighter, the livelier; how loud they are says nothing."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(recipe.window_s * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    for _ in range(recipe.drawn):
        arousal = float(rng.uniform(-1, 1))
        yield drawn_voice(arousal, rng, time_s), arousal


def drawn_voice(arousal: float, rng: np.random.Generator, time_s: TimeArray) -> FloatArray:
    """A voice of that arousal at the times (N,) → (N,) float32."""
    wobble = (1 + 2 * (arousal + 1)) * np.sin(2 * np.pi * rng.uniform(1, 3) * time_s + rng.uniform(0, 6))
    hz = 55 * 2 ** ((18 + 6 * arousal + rng.normal(0, 1.5) + wobble) / 12)
    phase = 2 * np.pi * np.cumsum(hz) / SOUND_RATE_HZ
    tilt = 1.6 - 0.5 * arousal + rng.normal(0, 0.1)
    buzz = sum(np.sin(harmonic * phase) / harmonic**tilt for harmonic in range(1, 16))
    syllables = np.clip(np.sin(2 * np.pi * rng.uniform(2, 5) * time_s), 0.02, 1.0)
    found = 10 ** rng.uniform(-2, -0.7) * (syllables * buzz + rng.normal(0, 0.01, len(time_s)))
    return np.asarray(found, np.float32)
