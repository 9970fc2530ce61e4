"""Flash and beep: a white picture and a tone of 1 kHz that begin together, written to files and found again."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.packet import Packet

from streamaffect.errors import SourceError
from streamaffect.sources.base import Source
from streamaffect.sources.sound.ear import Ear
from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import SOUND_RATE_HZ, BoolArray, Frame, ImageArray, SoundBlock, SoundClock

FLASHES_S = (1.0, 2.52)  # of a file; within its first three seconds
FLASH_S = 0.2
CHUNK = 1024

Samples = npt.NDArray[np.float32]


class KeepingEar(Ear):
    """Keeps all that it is told."""

    def __init__(self) -> None:
        self.ring = SoundRing()
        self.blocks: list[SoundBlock] = []
        self.clocks: list[SoundClock] = []
        self.absences: list[str] = []
        self.remarks: list[str] = []
        self.losses: list[str] = []

    def hear(self, block: SoundBlock, clock: SoundClock) -> None:
        self.ring.push(block)
        self.blocks.append(block)
        self.clocks.append(clock)

    def absent(self, reason: str) -> None:
        self.absences.append(reason)

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def lost(self, reason: str) -> None:
        self.losses.append(reason)

    @property
    def gaps_s(self) -> list[tuple[float, float]]:
        """Beginning and end of what was not heard between blocks."""
        return [(block.time_s, block.end_s) for block in self.blocks if not block.heard]


def is_flash(times_s: npt.NDArray[np.float64], flashes_s: Iterable[float]) -> BoolArray:
    """At which times there is a flash, (N,) bool."""
    found = np.zeros(np.shape(times_s), np.bool_)
    for start_s in flashes_s:
        found |= (times_s > start_s - 1e-6) & (times_s < start_s + FLASH_S - 1e-6)
    return found


def flash_picture(*, lit: bool) -> ImageArray:
    """(48, 64, 3) uint8."""
    return np.full((48, 64, 3), 255 if lit else 0, np.uint8)


def beep(times_s: npt.NDArray[np.float64], flashes_s: Iterable[float] = FLASHES_S) -> Samples:
    """A tone at each flash, (N,) float32."""
    return (0.5 * np.sin(2 * np.pi * 1000 * times_s) * is_flash(times_s, flashes_s)).astype(np.float32)


def write_flashes(
    path: Path,
    *,
    video: str = "mpeg4",
    audio: str = "aac",
    rate_hz: int = 48_000,
    layout: str = "stereo",
    seconds: float = 3.0,
    first_picture_s: float = 0.0,
    sound_s: Sequence[tuple[float, float]] = ((0.0, 3.0),),
    form: str | None = None,
    options: Mapping[str, str] | None = None,
    tracks: int = 1,
) -> Path:
    """Pictures at 25 frames a second, and sound in the stretches `sound_s` alone, which need not begin at 0.

    options: of the container
    tracks:  of sound; only the first one beeps
    """
    with av.open(str(path), "w", format=form, options=dict(options or {})) as container:
        pictures = container.add_stream(video, rate=25, width=64, height=48, pix_fmt="yuv420p")
        sounds = [container.add_stream(audio, rate=rate_hz, layout=layout) for _ in range(tracks)]
        assert isinstance(pictures, av.VideoStream)
        encoders = [_Encoder(sound) for sound in sounds if isinstance(sound, av.AudioStream)]
        waiting = deque(chunk for stretch in sound_s for chunk in _chunks(stretch, rate_hz, layout))
        for number in range(round(first_picture_s * 25), round(seconds * 25)):
            lit = bool(is_flash(np.asarray(number / 25), FLASHES_S))
            frame = av.VideoFrame.from_ndarray(flash_picture(lit=lit), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(pictures.encode(frame))
            while waiting and (waiting[0].time or 0.0) < (number + 1) / 25:
                chunk = waiting.popleft()
                for track, encoder in enumerate(encoders):
                    container.mux(encoder.encode(_silent(chunk) if track else chunk))
        container.mux(pictures.encode(None))
        for encoder in encoders:
            container.mux(encoder.encode(None))
    return path


class _Encoder:
    """Of one audio track; converts to what its codec takes."""

    def __init__(self, track: av.AudioStream) -> None:
        self._track = track
        self._converter = av.AudioResampler(format=track.codec_context.format.name)

    def encode(self, frame: av.AudioFrame | None) -> list["Packet[AudioStream]"]:
        if frame is None:
            return self._track.encode(None)
        return [packet for one in self._converter.resample(frame) for packet in self._track.encode(one)]


def _chunks(stretch: tuple[float, float], rate_hz: int, layout: str) -> Iterable[av.AudioFrame]:
    first, last = (round(second * rate_hz) for second in stretch)
    channels = av.AudioLayout(layout).nb_channels
    for start in range(first, last, CHUNK):
        samples = beep(np.arange(start, min(start + CHUNK, last)) / rate_hz)
        frame = av.AudioFrame.from_ndarray(np.repeat(samples[None], channels, 0), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
        yield frame


def _silent(frame: av.AudioFrame) -> av.AudioFrame:
    silent = av.AudioFrame.from_ndarray(np.zeros_like(frame.to_ndarray()), format="fltp", layout=frame.layout.name)
    silent.sample_rate, silent.pts, silent.time_base = frame.sample_rate, frame.pts, frame.time_base
    return silent


def frames_of(source: Source) -> list[Frame]:
    """All frames of a source that ends."""
    source.open()
    frames: list[Frame] = []
    try:
        while True:
            frames.append(source.read())
    except SourceError:
        return frames


def flashes_in(frames: Iterable[Frame]) -> list[float]:
    """When flashes begin; the first picture is none."""
    found, was_lit = [], True
    for frame in frames:
        lit = bool(frame.image.mean() > 100)
        if lit and not was_lit:
            found.append(frame.time_s)
        was_lit = lit
    return found


def beeps_in(ring: SoundRing) -> list[float]:
    """When beeps begin."""
    if ring.start_s is None or ring.end_s is None:
        return []
    window = ring.read(ring.start_s, ring.end_s)
    loud = np.flatnonzero(np.abs(window.samples) > 0.1)
    if not len(loud):
        return []
    begins = loud[np.concatenate([[True], np.diff(loud) > SOUND_RATE_HZ // 4])]
    return [window.start_s + int(at) / SOUND_RATE_HZ for at in begins if at]
