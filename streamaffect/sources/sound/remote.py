"""The sound of a network camera, placed in time beside the pictures of the same camera.

A picture's capture time is when it came. Where sound and pictures have one clock, sound gets the same delay: the clock
of their container, or of the reports of an RTSP sender, which say for each track what time a time stamp is (RFC 3550,
6.4.1). An RTSP stream without reports starts each track at 0, whenever it really began; then its sound too is placed by
when it came.
"""

import sys

from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from streamaffect.sources.sound.decoder import SoundDecoder
from streamaffect.sources.sound.live_line import LiveLine
from streamaffect.sources.sound.offsets import ClockOffset
from streamaffect.types import SOUND_RATE_HZ, SoundClock

MICROSECOND_S = 1e-6
WITHOUT_REPORTS_S = 12.0  # reports come every five seconds or so


class RemoteSound:
    """Takes the packets of a camera's audio track, and readings of the clock of its pictures.

    early_s: by so much sound may come before its time: where it comes in pieces, and pictures wait for theirs
    is_rtsp: tracks have a common clock only by the reports of the sender
    label:   what messages call the camera
    """

    def __init__(self, track: AudioStream, line: LiveLine, *, early_s: float, is_rtsp: bool, label: str) -> None:
        self.index = track.index
        self._line = line
        self._early_s = early_s
        self._is_rtsp = is_rtsp
        self._label = label
        self._decoder = SoundDecoder(track, SOUND_RATE_HZ, on_error=_nothing)
        self._pictures = _Wall()
        self._sounds = _Wall()
        self._shared = ClockOffset()
        self._alone = ClockOffset()
        self._clock: SoundClock | None = None
        self._heard_s = 0.0

    def note_packet(self, packet: "Packet[Stream]") -> None:
        """A packet of the pictures: it may say what time its time stamp is."""
        if self._pictures.note(packet):
            self._shared.forget()

    def note_picture(self, stamp_s: float | None, came_s: float) -> None:
        """A picture with its time stamp, and the monotonic time that is its capture time."""
        if stamp_s is not None:
            self._shared.note(came_s, stamp_s + self._pictures.ahead_s)

    def take(self, packet: "Packet[Stream]", came_s: float) -> None:
        """A packet of sound that came at a monotonic time."""
        self._sounds.note(packet)
        if packet.pts is not None:
            end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._alone.note(came_s, end_s)
        clock = self._clock = self._by()
        for chunk in self._decoder.take(packet):
            self._heard_s += len(chunk.samples) / SOUND_RATE_HZ
            if chunk.stamp_s is None or clock is None:
                continue
            offset = self._alone if clock == "arrival" else self._shared
            ahead_s = offset.seconds + (0.0 if clock == "arrival" else self._sounds.ahead_s)
            self._line.take(
                chunk.samples, chunk.stamp_s + ahead_s, clock, is_settled=offset.is_settled, early_s=self._early_s
            )
        self._say_where_reports_are_missing()

    def _by(self) -> SoundClock | None:
        """By which clock the sound can be placed now; None where no picture has come yet that would say."""
        if not self._is_rtsp:
            return "container" if self._shared.known else None
        if self._pictures.known and self._sounds.known and self._shared.known:
            return "sender"
        return "arrival"

    def _say_where_reports_are_missing(self) -> None:
        if self._clock == "arrival" and self._heard_s > WITHOUT_REPORTS_S:
            self._line.remark_once(
                f"{self._label}: sends no reports on the time of its sound, which is placed by when it comes, "
                "and may be some tenths of a second off"
            )


class _Wall:
    """What time the time stamps of a track are, by the clock of the sender."""

    def __init__(self) -> None:
        self.known = False
        self.ahead_s = 0.0

    def note(self, packet: "Packet[Stream]") -> bool:
        """Take what a packet says; True where it is the first one that says so."""
        if packet.pts is None or not packet.has_sidedata("prft"):
            return False
        microseconds = int.from_bytes(bytes(packet.get_sidedata("prft"))[:8], sys.byteorder, signed=True)
        self.ahead_s = microseconds * MICROSECOND_S - float(packet.pts * packet.time_base)
        was_known, self.known = self.known, True
        return not was_known


def _nothing() -> None:
    """What cannot be decoded is a gap on the time line."""
