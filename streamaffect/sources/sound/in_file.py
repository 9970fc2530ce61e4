"""The sound of one track of a file, on the file's own clock: whether its pictures are read beside it or not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from streamaffect.sources.sound.decoder import Chunk, SoundDecoder
from streamaffect.sources.timestamps import DISCONTINUITY_S
from streamaffect.types import FloatArray


@dataclass(frozen=True, slots=True)
class Placed:
    """Mono samples, (N,) float32, and when the first one is heard, in seconds since the file's start; None where the
    file does not say, and they follow what came before."""

    samples: FloatArray
    time_s: float | None


class SoundInFile:
    """Decodes the packets of a track, and places them where a player would.

    start_s: the earliest time stamp of any track of the file, which is its zero
    offsets: what the pictures of the file have added to their time stamps, for each recording that was joined to the
             one before; empty where nobody reads pictures
    """

    def __init__(
        self, track: AudioStream, rate_hz: int, *, start_s: float, offsets: Callable[[], Sequence[float]] = tuple
    ) -> None:
        self.index = track.index
        self.errors = 0
        self.reached_s = 0.0
        self._rate_hz = rate_hz
        self._start_s = start_s
        self._offsets = offsets
        self._recording = 0
        self._own_offset_s = 0.0
        self._last_s: float | None = None
        self._decoder = SoundDecoder(track, rate_hz, on_error=self._note_error)

    def take(self, packet: "Packet[Stream]") -> Iterator[Placed]:
        """The sound that becomes complete with a packet of this track."""
        return map(self._place, self._decoder.take(packet))

    def rest(self) -> Iterator[Placed]:
        """What was held back, at the end."""
        return map(self._place, self._decoder.rest())

    def restart(self) -> None:
        """Be ready to begin again at the file's start."""
        self._decoder.restart()
        self._recording, self._own_offset_s, self._last_s, self.reached_s = 0, 0.0, None, 0.0

    def _note_error(self) -> None:
        self.errors += 1

    def _place(self, chunk: Chunk) -> Placed:
        time_s = None if chunk.stamp_s is None else self._since_start(chunk.stamp_s - self._start_s)
        begin_s = self.reached_s if time_s is None else time_s
        self.reached_s = begin_s + len(chunk.samples) / self._rate_hz
        return Placed(chunk.samples, time_s)

    def _since_start(self, time_s: float) -> float:
        """Time stamps that go far back belong to a recording that was joined: it goes on where the pictures say."""
        if self._last_s is not None and time_s < self._last_s - DISCONTINUITY_S:
            self._recording += 1
            self._own_offset_s = self.reached_s - time_s
        self._last_s = time_s
        offsets = self._offsets()
        return time_s + (offsets[self._recording] if self._recording < len(offsets) else self._own_offset_s)
