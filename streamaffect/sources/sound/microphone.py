"""A microphone of this machine, on the clock of the pictures: opened once, and again when it was pulled out.

PortAudio calls from a thread of its own that must not wait for anything, so what it brings is put aside there, with the
time at which the first sample was in the air as the driver knows it; a thread of ours does the rest.
"""

import logging
import threading
from collections.abc import Sequence
from fractions import Fraction
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np

from streamaffect.clock import monotonic_ns
from streamaffect.errors import ConfigError, SourceError, SourceOpenError
from streamaffect.faces.detectors.native_log import quiet_stderr
from streamaffect.sources.sound.devices import Device, chosen_device, load_portaudio, microphones
from streamaffect.sources.sound.ear import Ear
from streamaffect.sources.sound.live_line import LiveLine
from streamaffect.sources.sound.offsets import ClockOffset
from streamaffect.types import SOUND_RATE_HZ, FloatArray

log = logging.getLogger(__name__)

SILENT_S = 1.5  # a device that works brings something every few hundredths of a second, even in silence
AGAIN_S = 1.0
JOIN_S = 1.0
LEAST_DELAY_S = 0.01

Brought = tuple[FloatArray, float, bool]  # samples, the monotonic time of the first one, and whether that is settled


class Microphone:
    """Tells its sound to any number of ears, from `open` to `close`.

    name: of the device, or a part of it; empty is the system's default
    """

    def __init__(self, name: str, ears: Sequence[Ear]) -> None:
        self.label = f"microphone {name!r}" if name else "microphone"
        self._name = name
        self._lines = [LiveLine(ear) for ear in ears]
        self._portaudio: ModuleType | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._device: _OpenDevice | None = None

    def open(self) -> None:
        """Open the device and begin.

        Raises:
            SourceOpenError: there is no such device, or it cannot be opened; or PortAudio is not installed.
            ConfigError: the name is that of several.
        """
        self._portaudio = load_portaudio()
        self._device = self._open_device(anew=False)
        self._thread = threading.Thread(target=self._run, name=self.label, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of the device, for good. May be called again."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        while self._device is not None:
            try:
                reason = self._listen(self._device)
            except Exception as error:  # nobody else would hear of it
                reason = f"{self.label}: {type(error).__name__}: {error}"
            if not self._stopped.is_set():
                for line in self._lines:
                    line.ear.lost(reason)
            self._device.close()  # after that was said: some drivers take long
            self._device = self._wait_for_device()

    def _listen(self, device: "_OpenDevice") -> str:
        """Pass on what it brings; returns why it brings no more."""
        while not self._stopped.is_set():
            brought = device.take(SILENT_S)
            if brought is None:
                return f"{self.label}: brings nothing; was it pulled out?"
            samples, time_s, is_settled = brought
            for line in self._lines:
                line.take(samples, time_s, "device", is_settled=is_settled)
        return ""

    def _wait_for_device(self) -> "_OpenDevice | None":
        while not self._stopped.wait(AGAIN_S):
            try:
                return self._open_device(anew=True)
            except (SourceError, ConfigError) as error:
                log.debug("still away: %s", error)
        return None

    def _open_device(self, *, anew: bool) -> "_OpenDevice":
        assert self._portaudio is not None
        device = chosen_device(microphones(self._portaudio, anew=anew), self._name)
        try:
            with quiet_stderr():
                return _OpenDevice(self._portaudio, device)
        except self._portaudio.PortAudioError as error:
            raise SourceOpenError(
                f"microphone {device.name!r}: cannot be opened ({error}); another program may use it, "
                "or this one may not listen",
                transient=True,
            ) from error


class _OpenDevice:
    """A running input stream of PortAudio's.

    Raises:
        PortAudioError: on construction, where the device does not open.
    """

    def __init__(self, portaudio: ModuleType, device: Device) -> None:
        self._brought: SimpleQueue[Brought] = SimpleQueue()
        self._offset = ClockOffset()  # of our clock, ahead of the count of samples
        self._count = 0
        rate_hz, channels = _settings(portaudio, device)
        self._converter = None if rate_hz == SOUND_RATE_HZ else _Converter(rate_hz)
        self._period_s = 1.0 / rate_hz
        self._stream = portaudio.InputStream(
            samplerate=rate_hz, device=device.number, channels=channels, dtype="float32", callback=self._bring
        )
        # While a driver fills its buffers it says that it is later than it can be.
        self._longest_delay_s = max(LEAST_DELAY_S, self._stream.latency)
        try:
            self._stream.start()
        except BaseException:
            self._stream.close()
            raise

    def take(self, timeout_s: float) -> Brought | None:
        """The next samples at 16 kHz and the time of the first one; None where none came in time."""
        try:
            samples, time_s, is_settled = self._brought.get(timeout=timeout_s)
        except Empty:
            return None
        if self._converter is not None:
            samples, time_s = self._converter.convert(samples, time_s)
        return samples, time_s, is_settled

    def close(self) -> None:
        """End the stream."""
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _bring(self, samples: FloatArray, count: int, times: Any, _status: object) -> None:
        """Called by PortAudio: (count, channels) float32 that are gone when this returns."""
        now_s = monotonic_ns() / 1e9
        delay_s = times.currentTime - times.inputBufferAdcTime
        if delay_s <= 0.0:  # some drivers do not say
            delay_s = count * self._period_s
        delay_s = min(delay_s, self._longest_delay_s)
        counted_s, self._count = self._count * self._period_s, self._count + count
        self._offset.note(now_s - delay_s, counted_s)
        self._brought.put((samples.mean(axis=1), counted_s + self._offset.seconds, self._offset.is_settled))


class _Converter:
    """From the rate of a device to ours."""

    def __init__(self, rate_hz: int) -> None:
        from streamaffect.sources.sound.resampler import Resampler

        self._rate_hz = rate_hz
        self._resampler = Resampler(SOUND_RATE_HZ)

    def convert(self, samples: FloatArray, time_s: float) -> tuple[FloatArray, float]:
        """What comes out when samples of a time go in, and its own time."""
        from av.audio.frame import AudioFrame

        frame = AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
        frame.sample_rate, frame.time_base = self._rate_hz, Fraction(1, self._rate_hz)
        held_s = self._resampler.held_s
        return self._resampler.take(frame), time_s - held_s


def _settings(portaudio: ModuleType, device: Device) -> tuple[int, int]:
    """Rate and channels to open a device with: ours, if it or its driver can give them, or else its own."""
    for rate_hz, channels in ((SOUND_RATE_HZ, 1), (device.rate_hz, 1), (SOUND_RATE_HZ, device.channels)):
        try:
            portaudio.check_input_settings(device.number, channels, "float32", None, rate_hz)
        except (portaudio.PortAudioError, ValueError):
            continue
        return rate_hz, channels
    return device.rate_hz, device.channels
