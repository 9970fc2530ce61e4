"""From the packets of one audio track to chunks of samples, with the container's own times."""

from collections.abc import Callable
from dataclasses import dataclass

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from streamaffect.sources.sound.anchor import SLACK_S
from streamaffect.sources.sound.resampler import Resampler
from streamaffect.types import FloatArray


@dataclass(frozen=True, slots=True)
class Chunk:
    """Mono samples, (N,) float32, and the time stamp of the first one in seconds; None where nobody says."""

    samples: FloatArray
    stamp_s: float | None


class SoundDecoder:
    """Decodes one track to one channel at `rate_hz`.

    What an encoder has put before the sound, and an editor has cut away, is left out by FFmpeg as the container says.

    on_error: called for each packet that cannot be decoded; what it held is missing
    """

    def __init__(self, track: AudioStream, rate_hz: int, *, on_error: Callable[[], None]) -> None:
        self._context = track.codec_context
        self._on_error = on_error
        self._resampler = Resampler(rate_hz)
        self._end_s: float | None = None

    def take(self, packet: "Packet[Stream]") -> list[Chunk]:
        """The chunks that become complete with a packet of this track."""
        return self._chunks(self._decode(packet))

    def rest(self) -> list[Chunk]:
        """What was held back, at the end of the track."""
        return [*self._chunks(self._decode(None)), *self._drained()]

    def restart(self) -> None:
        """Be ready for packets from another place of the track."""
        self._context.flush_buffers()
        self._resampler.rest()
        self._end_s = None

    def _decode(self, packet: "Packet[Stream] | None") -> list[AudioFrame]:
        try:
            return self._context.decode(packet)
        except FFmpegError:
            self._on_error()
            return []

    def _chunks(self, frames: list[AudioFrame]) -> list[Chunk]:
        chunks: list[Chunk] = []
        for frame in frames:
            try:
                chunks += self._resampled(frame)
            except (FFmpegError, ValueError):
                self._on_error()
        return chunks

    def _resampled(self, frame: AudioFrame) -> list[Chunk]:
        stamp_s = self._end_s if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
        before: list[Chunk] = []
        if stamp_s is not None and self._end_s is not None and abs(stamp_s - self._end_s) > SLACK_S:
            before = self._drained()  # sound from two sides of a gap must not be mixed
        start_s = None if stamp_s is None else stamp_s - self._resampler.held_s
        self._end_s = None if stamp_s is None else stamp_s + frame.samples / frame.sample_rate
        samples = self._resampler.take(frame)
        return [*before, Chunk(samples, start_s)] if len(samples) else before

    def _drained(self) -> list[Chunk]:
        start_s = None if self._end_s is None else self._end_s - self._resampler.held_s
        samples = self._resampler.rest()
        return [Chunk(samples, start_s)] if len(samples) else []
