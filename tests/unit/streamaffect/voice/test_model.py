"""The shipped voice model, and folders that are none."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from streamaffect.errors import BundleError, EngineError
from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import SOUND_RATE_HZ, FloatArray, SoundBlock
from streamaffect.voice.activity import WEIGHTS, VoiceActivity
from streamaffect.voice.model import VoiceModel, default_voice_path
from streamaffect.voice.reader import VoiceReader


@pytest.fixture(scope="module")
def model() -> VoiceModel:
    return VoiceModel()


def music() -> FloatArray:
    """A chord that swells."""
    time_s = np.arange(2 * SOUND_RATE_HZ) / SOUND_RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (262, 330, 392, 523))
    return np.asarray(0.1 * chord * (1 + np.sin(2 * np.pi * time_s)), np.float32)


@pytest.mark.parametrize(
    "samples",
    [music(), 0.1 * np.random.default_rng(0).normal(size=32_000).astype(np.float32), np.zeros(32_000, np.float32)],
    ids=["music", "noise", "silence"],
)
def test_music_noise_and_silence_are_not_heard(model: VoiceModel, samples: FloatArray) -> None:
    reading = model.read(samples)
    assert reading.activity < model.manifest.heard
    assert reading.arousal is None


def test_a_window_shorter_than_a_chunk_holds_no_speech(model: VoiceModel) -> None:
    assert model.read(np.zeros(100, np.float32)).activity == 0.0


def test_a_stream_without_sound_reads_nothing(model: VoiceModel) -> None:
    ring = SoundRing()
    reader = VoiceReader(model, ring)
    assert reader.read(0.0) is None
    ring.push(SoundBlock(np.zeros(16_000, np.float32), 0.0, 0))
    assert reader.read(0.4) is None  # the same half second as before
    assert reader.read(1.0) is not None
    assert reader.read(60.0) is None  # long after it has stopped


def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_voice_path(), tmp_path / "voice"))


def test_an_altered_graph_is_refused(tmp_path: Path) -> None:
    place = folder(tmp_path)
    with (place / "voice.onnx").open("ab") as graph:
        graph.write(b"\0")
    with pytest.raises(BundleError, match=r"voice\.onnx: sha256 is"):
        VoiceModel(place)


def test_a_manifest_of_other_features_is_refused(tmp_path: Path) -> None:
    place = folder(tmp_path)
    manifest = place / "voice.json"
    manifest.write_text(manifest.read_text().replace('"pitch_high"', '"loudness"'))
    with pytest.raises(BundleError, match=r"voice\.json: features are not those"):
        VoiceModel(place)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"schema": 1, "name": "\xff"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"schema": 2}', "schema is 2, this version reads 1"),
        (b'{"schema": 1}', "missing required field"),
    ],
)
def test_a_manifest_that_is_none_is_refused_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    place = folder(tmp_path)
    (place / "voice.json").write_bytes(content)
    with pytest.raises(BundleError, match=rf"voice\.json: .*{said}"):
        VoiceModel(place)


def test_a_folder_without_a_voice_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"voice\.json: cannot be read"):
        VoiceModel(tmp_path)


def test_other_weights_of_the_voice_activity_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "vad.onnx"
    other.write_bytes(WEIGHTS.read_bytes()[:-1])
    with pytest.raises(EngineError, match="sha256 is"):
        VoiceActivity(other)
