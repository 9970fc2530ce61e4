"""The sound of recordings, from files that the tests write."""

import wave
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from streamaffect.sources.video.reader import open_video
from train.audiovisual.sound import Sound, is_audible, read_sound
from train.errors import DataError

av = pytest.importorskip("av")
RATE_HZ = 8000


def write_wav(path: Path, channels: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(len(channels))
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes((channels.T * 32767).astype(np.int16).tobytes())
    return path


def tone(frequency_hz: float, seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def write_video(path: Path, *, first_s: float) -> Path:
    """A second of black pictures from `first_s` on, and two seconds of sound from 0 on: silent, then a tone."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=25, width=32, height=32, pix_fmt="yuv420p")
        sound = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number + round(25 * first_s), Fraction(1, 25)
            container.mux(pictures.encode(frame))
        samples = np.concatenate([np.zeros(RATE_HZ), tone(440, 1)]) * 32767
        audio = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], format="s16", layout="mono")
        audio.sample_rate, audio.pts = RATE_HZ, 0
        container.mux(sound.encode(audio))
        for stream in (pictures, sound):
            container.mux(stream.encode(None))
    return path


def test_a_wav_file_is_the_mean_of_its_channels(tmp_path: Path) -> None:
    left, right = tone(100, 0.5), np.full(RATE_HZ // 2, 0.25)
    found = read_sound(write_wav(tmp_path / "a.wav", np.stack([left, right])), RATE_HZ)
    assert found is not None
    np.testing.assert_allclose(found.samples.numpy(), (left + right) / 2, atol=1e-3)


def test_another_rate_keeps_pitch_and_length(tmp_path: Path) -> None:
    found = read_sound(write_wav(tmp_path / "a.wav", tone(440, 2, 44100)[None], 44100), RATE_HZ)
    assert found is not None
    assert len(found.samples) == pytest.approx(2 * RATE_HZ, abs=RATE_HZ // 100)
    spectrum = np.abs(np.fft.rfft(found.samples[:RATE_HZ].numpy()))
    assert spectrum.argmax() == 440


@pytest.mark.parametrize("first_s", [0.0, 0.4])
def test_sound_and_pictures_of_a_video_have_one_clock(first_s: float, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mkv", first_s=first_s)
    found = read_sound(video, RATE_HZ)
    assert found is not None
    begins = int((found.samples.abs() > 0.01).nonzero()[0])
    assert begins / RATE_HZ == pytest.approx(1, abs=0.05)
    with closing(open_video(video)) as reader:
        picture = reader.next()
    assert picture is not None and picture[0] == pytest.approx(first_s)


def test_a_file_without_sound_has_none(tmp_path: Path) -> None:
    path = tmp_path / "silent.mkv"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=25, width=32, height=32, pix_fmt="yuv420p")
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
    assert read_sound(path, RATE_HZ) is None


def test_what_is_no_recording_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not sound at all")
    for name in ("a.wav", "missing.wav"):
        with pytest.raises(DataError, match=rf"{name}: its sound cannot be read"):
            read_sound(tmp_path / name, RATE_HZ)


@pytest.mark.parametrize(
    ("end_s", "expected"),
    [(0.5, [2, 3, 4, 5]), (0.2, [0, 0, 1, 2]), (-0.3, [0, 0, 0, 0]), (0.8, [5, 6, 0, 0]), (3.0, [0, 0, 0, 0])],
)
def test_a_piece_ends_at_its_time_and_is_silent_where_nothing_was_recorded(end_s: float, expected: list[int]) -> None:
    sound = Sound(torch.arange(1.0, 7.0), rate_hz=10)
    assert sound.until(end_s, 4).tolist() == expected


def test_an_empty_track_cannot_be_heard() -> None:
    assert is_audible(torch.tensor([[0.0, 0.5], [0.0, -0.5], [0.0, 1e-5]])).tolist() == [True, True, False]
