"""A microphone: which one is taken, what is said without one, pulled out and back; on PortAudio itself where it is."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streamaffect.clock import monotonic_ns
from streamaffect.errors import ConfigError, SourceOpenError
from streamaffect.sources.sound import microphone
from streamaffect.sources.sound.devices import Device, chosen_device, load_portaudio, microphones
from streamaffect.sources.sound.microphone import Microphone
from streamaffect.types import SOUND_RATE_HZ
from tests.support.sound.flashes import KeepingEar

SOON_S = 20.0
DEVICES = [
    Device(0, "Built-in Audio", 2, 44_100, is_default=False),
    Device(3, "Headset (USB)", 1, 48_000, is_default=True),
    Device(4, "Camera (USB)", 2, 16_000, is_default=False),
]


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


class PortAudio(ModuleType):
    """What `sounddevice` gives: a device that can be pulled out, with a tone at `rates`."""

    class PortAudioError(Exception):
        pass

    def __init__(self, rates: tuple[int, ...]) -> None:
        super().__init__("sounddevice")
        self.rates = rates
        self.plugged = threading.Event()
        self.plugged.set()
        self.looked = 0
        self.opened: list[tuple[int, int]] = []
        self.default = SimpleNamespace(device=(0, 0))

    def query_devices(self) -> list[dict[str, Any]]:
        found = {"name": "Test microphone", "max_input_channels": 2, "default_samplerate": 44_100.0}
        return [found] if self.plugged.is_set() else []

    def check_input_settings(self, device: int, channels: int, dtype: str, extra: None, rate_hz: int) -> None:
        if rate_hz not in self.rates:
            raise self.PortAudioError("Invalid sample rate")

    def InputStream(self, *, samplerate: int, channels: int, callback: Any, **_: Any) -> "Stream":  # noqa: N802
        self.opened.append((samplerate, channels))
        return Stream(self, samplerate, channels, callback)

    def _terminate(self) -> None:
        self.looked += 1

    def _initialize(self) -> None:
        pass


class Stream:
    latency = 0.02

    def __init__(self, owner: PortAudio, rate_hz: int, channels: int, callback: Any) -> None:
        self._owner, self._rate_hz, self._channels, self._callback = owner, rate_hz, channels, callback
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def abort(self, ignore_errors: bool = True) -> None:
        self._stopped.set()

    def close(self, ignore_errors: bool = True) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        count, number = self._rate_hz // 50, 0
        while not self._stopped.wait(0.02) and self._owner.plugged.is_set():
            tone = np.sin(2 * np.pi * 500 * (np.arange(count) + number * count) / self._rate_hz)
            samples = np.repeat(tone.astype(np.float32)[:, None], self._channels, 1)
            self._callback(samples, count, SimpleNamespace(currentTime=0.0, inputBufferAdcTime=0.0), None)
            number += 1


@pytest.fixture(params=[(16_000, 44_100), (44_100,)], ids=["our rate", "its own rate"])
def portaudio(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PortAudio]:
    found = PortAudio(request.param)
    monkeypatch.setattr(microphone, "load_portaudio", lambda: found)
    monkeypatch.setattr(microphone, "SILENT_S", 0.3)
    monkeypatch.setattr(microphone, "AGAIN_S", 0.02)
    yield found


def test_what_is_heard_has_the_pitch_and_the_time_of_now(portaudio: PortAudio) -> None:
    ear = KeepingEar()
    heard = Microphone("", [ear])
    began_s = monotonic_ns() / 1e9
    heard.open()
    until(lambda: ear.ring.end_s is not None and ear.ring.end_s - (ear.ring.start_s or 0.0) > 0.6)
    heard.close()
    heard.close()
    ended_s = monotonic_ns() / 1e9
    assert portaudio.opened == [(portaudio.rates[0], 1)]
    assert set(ear.clocks) == {"device"}
    assert ear.ring.start_s is not None and ear.ring.end_s is not None
    assert began_s - 0.1 < ear.ring.start_s < ear.ring.end_s < ended_s + 0.1
    longest = max((block for block in ear.blocks if block.heard), key=lambda block: len(block.samples))
    window = ear.ring.read(longest.time_s, longest.end_s)
    spectrum = np.abs(np.fft.rfft(window.samples * np.hanning(len(window.samples)), SOUND_RATE_HZ))
    assert spectrum.argmax() == pytest.approx(500, abs=25)


def test_pulled_out_it_is_lost_once_and_heard_again_when_it_is_back_with_a_gap(portaudio: PortAudio) -> None:
    ears = KeepingEar(), KeepingEar()
    heard = Microphone("test", ears)
    heard.open()
    until(lambda: len(ears[0].blocks) > 3)
    portaudio.plugged.clear()
    until(lambda: portaudio.looked > 3)
    before = len(ears[0].blocks)
    portaudio.plugged.set()
    until(lambda: len(ears[0].blocks) > before + 3)
    heard.close()
    for ear in ears:
        assert ear.losses == ["microphone 'test': brings nothing; was it pulled out?"]
        assert any(end - begin > 0.25 for begin, end in ear.gaps_s)


def test_a_microphone_is_chosen_by_default_by_name_or_by_a_part_of_it() -> None:
    assert chosen_device(DEVICES, "").number == 3
    assert chosen_device(DEVICES, "built-in").number == 0
    assert chosen_device(DEVICES, "Camera (USB)").number == 4
    with pytest.raises(ConfigError, match=r"several microphones are called 'usb': 'Headset \(USB\)', 'Camera \(USB\)'"):
        chosen_device(DEVICES, "usb")
    with pytest.raises(SourceOpenError, match="no microphone 'zoom'; there are 'Built-in Audio', ") as caught:
        chosen_device(DEVICES, "zoom")
    assert caught.value.transient
    with pytest.raises(SourceOpenError, match="this machine has no input device"):
        chosen_device([], "")


def test_without_portaudio_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SourceOpenError, match="PortAudio, which is not installed; sudo apt install libportaudio2"):
        load_portaudio()


def test_portaudio_itself_is_heard_and_is_as_the_double_here() -> None:
    try:
        real = load_portaudio()
    except SourceOpenError as error:
        pytest.skip(str(error))
    names = ("PortAudioError", "default", "query_devices", "check_input_settings", "InputStream", "_terminate")
    assert [name for name in names if not hasattr(real, name) or not hasattr(PortAudio((16_000,)), name)] == []
    if not microphones(real):
        pytest.skip("this machine has no input device")
    ear = KeepingEar()
    heard = Microphone("", [ear])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(microphone, "load_portaudio", lambda: real)
        patch.setattr(microphone, "SILENT_S", 5.0)
        try:
            heard.open()
        except SourceOpenError as error:  # ALSA lists a sound server's device whether one runs or not
            pytest.skip(str(error))
    until(lambda: len(ear.blocks) > 10)
    heard.close()
    assert ear.losses == []
