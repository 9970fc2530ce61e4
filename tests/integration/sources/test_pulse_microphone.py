"""A device of PortAudio's without hardware: what a PulseAudio server plays to nobody, heard, pulled out and back."""

import math
import os
import shutil
import struct
import subprocess
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from streamaffect.clock import monotonic_ns
from streamaffect.errors import SourceOpenError
from streamaffect.sources.sound import microphone
from streamaffect.sources.sound.devices import load_portaudio, microphones
from streamaffect.sources.sound.microphone import Microphone
from streamaffect.types import SOUND_RATE_HZ
from tests.support.sound.flashes import KeepingEar

SOON_S = 30.0
TONE_HZ, RATE_HZ = 500, 48_000


def until(what: str, condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < end_s, what
        time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the server listens; PortAudio finds it through ALSA."""
    if shutil.which("pulseaudio") is None or shutil.which("paplay") is None:
        pytest.skip("needs apt install pulseaudio pulseaudio-utils libasound2-plugins")
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    for name in ("XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "HOME"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setattr(microphone, "AGAIN_S", 0.2)
    return folder


@contextmanager
def server(place: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A PulseAudio server with one sink that plays to nobody."""
    (place / "native").unlink(missing_ok=True)
    words = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    words += ["-L", "module-native-protocol-unix", "-L", "module-null-sink sink_name=ears"]
    running = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        until("PulseAudio listens", (place / "native").exists)
        yield running
    finally:
        running.kill()
        running.wait()


@contextmanager
def playing(tone: Path) -> Iterator[None]:
    player = subprocess.Popen(["paplay", "--latency-msec=30", str(tone)], env={**os.environ, "PULSE_SINK": "ears"})
    try:
        yield
    finally:
        player.kill()
        player.wait()


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        period = [round(12_000 * math.sin(2 * math.pi * TONE_HZ * i / RATE_HZ)) for i in range(RATE_HZ)]
        file.writeframes(struct.pack(f"<{RATE_HZ}h", *period) * 60)
    return path


def pitch_hz(ear: KeepingEar) -> float:
    """Of the last second."""
    end_s = ear.ring.end_s
    assert end_s is not None
    samples = ear.ring.read(end_s - 1.0, end_s).samples
    if np.abs(samples).max() < 0.1:
        return 0.0
    return float(np.abs(np.fft.rfft(samples * np.hanning(SOUND_RATE_HZ))).argmax())


def test_a_device_is_heard_lost_with_its_server_and_heard_again_with_a_gap(place: Path, tone: Path) -> None:
    ear = KeepingEar()
    heard = Microphone("pulse", [ear])
    with server(place) as running:
        try:
            microphones(load_portaudio(), anew=True)
            heard.open()
        except SourceOpenError as error:
            pytest.skip(str(error))
        with playing(tone):
            until("the tone is heard", lambda: ear.ring.end_s is not None and abs(pitch_hz(ear) - TONE_HZ) < 5)
            assert ear.ring.end_s is not None
            assert abs(monotonic_ns() / 1e9 - ear.ring.end_s) < 1.0
            running.kill()
            until("the loss is told", lambda: ear.losses)
    before = len(ear.blocks)
    with server(place), playing(tone):
        until("it is heard again", lambda: len(ear.blocks) > before and abs(pitch_hz(ear) - TONE_HZ) < 5)
        heard.close()
    assert set(ear.losses) == {"microphone 'pulse': brings nothing; was it pulled out?"}
    assert any(end - begin > 0.5 for begin, end in ear.gaps_s)
    microphones(load_portaudio(), anew=True)
