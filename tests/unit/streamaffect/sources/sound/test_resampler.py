"""Sound of any kind comes out as one channel that can be heard."""

import numpy as np
import pytest
from av.audio.frame import AudioFrame

from streamaffect.sources.sound.resampler import Resampler
from streamaffect.types import SOUND_RATE_HZ, FloatArray

RATE_HZ = 48_000
FRAME = 1024
# Sample format of FFmpeg's: its type, what full scale is there, and zero.
KINDS = {
    "s16": ("int16", 2**15 - 1, 0),
    "s16p": ("int16", 2**15 - 1, 0),
    "s32": ("int32", 2**31 - 1, 0),
    "u8": ("uint8", 127, 128),
    "flt": ("float32", 1, 0),
    "fltp": ("float32", 1, 0),
    "dblp": ("float64", 1, 0),
}


def tone(seconds: float, hz: float = 440.0) -> FloatArray:
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ), np.float32)


def heard(left: FloatArray, right: FloatArray, kind: str) -> FloatArray:
    """What comes out of stereo sound in a sample format of FFmpeg's."""
    resampler, found = Resampler(SOUND_RATE_HZ), []
    type_, full, zero = KINDS[kind]
    for start in range(0, len(left) - FRAME + 1, FRAME):
        both = np.stack([left[start : start + FRAME], right[start : start + FRAME]]).astype(np.float64)
        samples = (both * full + zero).astype(type_)
        packed = samples if kind.endswith("p") else samples.T.reshape(1, -1)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(packed), format=kind, layout="stereo")
        frame.sample_rate = RATE_HZ
        found.append(resampler.take(frame))
    return np.concatenate([*found, resampler.rest()])


def level(samples: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(samples[len(samples) // 4 :]))))


@pytest.mark.parametrize("kind", KINDS)
def test_channels_that_cancel_each_other_are_heard(kind: str) -> None:
    sound = tone(1.0)
    assert level(heard(sound, -sound, kind)) == pytest.approx(level(heard(sound, sound, kind)), rel=0.02)


def test_channels_that_do_not_are_mixed() -> None:
    left, right = tone(1.0), tone(1.0, 660.0)
    mixed = heard(left, right, "fltp")
    alone = heard(left, np.zeros_like(left), "fltp") + heard(np.zeros_like(right), right, "fltp")
    np.testing.assert_allclose(mixed, alone, atol=1e-5)


def test_one_channel_alone_is_mixed_with_the_silence_of_the_other() -> None:
    sound = tone(1.0)
    assert level(heard(sound, np.zeros_like(sound), "fltp")) == pytest.approx(
        level(heard(sound, sound, "fltp")) / 2, rel=0.02
    )


def test_sound_that_turns_around_comes_at_its_time() -> None:
    sound, turns = tone(2.0), np.sign(np.arange(2 * RATE_HZ) - RATE_HZ + 0.5).astype(np.float32)
    found = heard(sound, sound * -turns, "fltp")
    assert len(found) == pytest.approx(2 * SOUND_RATE_HZ, abs=2 * FRAME)
    late = slice(-SOUND_RATE_HZ // 2, None)
    assert level(found[late]) == pytest.approx(level(heard(sound, sound, "fltp")[late]), rel=0.02)
