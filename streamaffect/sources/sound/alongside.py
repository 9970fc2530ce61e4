"""The sound of a file whose pictures are read: from the same demuxer, decoded on the way.

A file may store its sound behind the pictures that it belongs to. Offline nothing may depend on how far somebody has
read, so the packets of pictures wait here until the sound up to them has been told.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from streamaffect.errors import SourceOpenError
from streamaffect.sources.sound.file_sound import FileSound
from streamaffect.sources.sound.in_file import Placed, SoundInFile
from streamaffect.sources.sound.tracks import chosen_sound
from streamaffect.types import SOUND_RATE_HZ

MOST_AHEAD_S = 10.0
MOST_WAITING_BYTES = 1 << 26
WITHOUT_S = 1.0  # so much of the pictures' time without sound, at the beginning or the end, is told


class Alongside:
    """Takes the packets of all tracks, passes on those that are no sound, and tells the sound.

    start_s: the file's zero, as for `SoundInFile`
    """

    def __init__(self, sound: SoundInFile, taker: FileSound, *, start_s: float, label: str) -> None:
        self.sound = sound
        self._label = label
        self._taker = taker
        self._start_s = start_s
        self._told: set[str] = set()
        self._pictures_s = 0.0
        self._is_first = True

    def packets(self, packets: "Iterable[Packet[Stream]]") -> "Iterator[Packet[Stream]]":
        """The packets of all other tracks, each once the sound up to it was told."""
        waiting: deque[Packet[Stream]] = deque()
        waiting_bytes = 0
        for packet in packets:
            if packet.stream_index == self.sound.index:
                self._tell(self.sound.take(packet))
            else:
                self._note(packet)
                waiting.append(packet)
                waiting_bytes += packet.size
            while waiting and self._may_go(waiting[0], waiting[-1], waiting_bytes):
                waiting_bytes -= waiting[0].size
                yield waiting.popleft()
        self._tell(self.sound.rest())
        if self.sound.errors:
            self._remark(f"its sound is damaged in {self.sound.errors} place(s), and silent there")
        if self._pictures_s - self.sound.reached_s > WITHOUT_S:
            self._remark(f"its sound ends at {self.sound.reached_s:.1f} s, its pictures at {self._pictures_s:.1f} s")
        yield from waiting

    def _tell(self, sound: Iterable[Placed]) -> None:
        for placed in sound:
            if self._is_first and placed.time_s is not None and placed.time_s > WITHOUT_S:
                self._remark(f"its sound begins at {placed.time_s:.1f} s; before that nothing is heard")
            self._is_first = False
            self._taker.take(placed.samples, placed.time_s)

    def _note(self, packet: "Packet[Stream]") -> None:
        """How far the pictures reach."""
        shown_s = _shown_s(packet)
        if shown_s is not None and packet.stream.type == "video":
            self._pictures_s = max(self._pictures_s, shown_s - self._start_s)

    def _remark(self, text: str) -> None:
        """Once, however often the file is read from its start."""
        if text not in self._told:
            self._told.add(text)
            self._taker.remark(f"{self._label}: {text}")

    def _may_go(self, first: "Packet[Stream]", last: "Packet[Stream]", waiting_bytes: int) -> bool:
        first_s, last_s = _shown_s(first), _shown_s(last)
        if first_s is None or last_s is None or waiting_bytes > MOST_WAITING_BYTES:
            return True
        until_s = first_s - self._start_s
        return self.sound.reached_s >= until_s or not 0 <= last_s - first_s <= MOST_AHEAD_S


def _shown_s(packet: "Packet[Stream]") -> float | None:
    return None if packet.pts is None else float(packet.pts * packet.time_base)


def beside(
    tracks: Sequence[AudioStream],
    taker: FileSound,
    *,
    start_s: float,
    label: str,
    offsets: Callable[[], Sequence[float]],
) -> Alongside | None:
    """What decodes the track that is wanted; None where it cannot be, which is told, and the pictures go on.

    start_s, offsets: as for `SoundInFile`
    """
    try:
        chosen = chosen_sound(tracks, taker.track, label=label)
    except SourceOpenError as error:
        taker.absent(str(error))
        return None
    if chosen.number is not None and taker.track is None:
        taker.remark(f"{label}: has several audio tracks; #audio={chosen.number} is heard, its default")
    sound = SoundInFile(chosen.stream, SOUND_RATE_HZ, start_s=start_s, offsets=offsets)
    return Alongside(sound, taker, start_s=start_s, label=label)
