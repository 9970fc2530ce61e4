"""An open container: its tracks, its clock and its packets.

What is named is opened and nothing else: no protocol beyond those allowed, so that no file can make FFmpeg ask a host.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.codec.hwaccel import HWAccel
from av.container import Flags, InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from streamaffect.errors import SourceOpenError
from streamaffect.sources.video.path import is_photo, what_picture

JPEGS = frozenset(("jpeg_pipe", "mjpeg"))  # one, or many one after the other: FFmpeg takes some for the one, some not
LISTED_PICTURES = "image2"  # of one file or, where its name has a pattern, of others
WITHOUT_SHOWN_TIMES = frozenset(("avi",))  # of packets they note when each is decoded
MULTIPART, BOUNDARY_BYTES = "mpjpeg", 256  # what a camera sends over HTTP, saved
MICROSECOND_S = 1e-6
BEFORE_START_US = 1_000_000
MOST_READ_ERRORS = 16  # in a row; a demuxer that has found its place again gives packets in between
STATE_THEIR_END = frozenset(("matroska,webm", "nut"))  # on their own clock, where others state how long they are


class Container:
    """What FFmpeg can demux, opened.

    label:   what messages call it
    options: FFmpeg's, for protocol and demuxer
    hwaccel: the device that decodes; None leaves it to the processor
    kind:    FFmpeg's name of the format; None lets it find out
    start_s: the earliest time stamp of any track, which is a player's zero; None where there are no time stamps

    Raises:
        FFmpegError: on construction, where it cannot be opened.
    """

    def __init__(
        self,
        target: str,
        *,
        label: str,
        options: Mapping[str, str],
        hwaccel: HWAccel | None = None,
        kind: str | None = None,
    ) -> None:
        self.label = label
        self._read_bytes = 0
        self._ends: dict[int, int] = {}  # of each track's packets so far, in its own units of time
        # Tags of a file may be in any encoding, and nobody reads them.
        opened = av.open(target, options=dict(options), metadata_errors="replace", hwaccel=hwaccel, format=kind)
        self._container: InputContainer = opened
        if opened.format.name in WITHOUT_SHOWN_TIMES:
            # PyAV has FFmpeg make some up, which are wrong where pictures are decoded far ahead.
            opened.flags &= ~cast(int, Flags.gen_pts.value)
        start = opened.start_time
        self.start_s = None if start is None else start * MICROSECOND_S

    @property
    def format(self) -> str:
        """FFmpeg's name of the format, for instance "matroska,webm"."""
        return self._container.format.name

    @property
    def video_tracks(self) -> list[VideoStream]:
        """All video tracks, cover pictures among them."""
        return list(self._container.streams.video)

    @property
    def sound_tracks(self) -> list[AudioStream]:
        """All audio tracks."""
        return list(self._container.streams.audio)

    @property
    def has_sound(self) -> bool:
        """True where there is an audio track."""
        return bool(self._container.streams.audio)

    @property
    def duration_s(self) -> float | None:
        """Length of the longest track as the container states it."""
        duration = self._container.duration
        if not duration or duration <= 0:
            return None
        stated_s = duration * MICROSECOND_S
        after_start_s = stated_s - (self.start_s or 0.0) if self.format in STATE_THEIR_END else stated_s
        return after_start_s if after_start_s > 0 else stated_s  # some programs do write how long they are

    def best_track(self) -> VideoStream | None:
        """The track that FFmpeg thinks best, where the container names no default."""
        best = self._container.streams.best("video")
        return best if isinstance(best, VideoStream) else None

    def packets(self, on_error: Callable[[], None]) -> Iterator["Packet[Stream]"]:
        """The packets of all tracks up to the end; read errors are told to `on_error` and gone over."""
        errors_in_a_row = 0
        while errors_in_a_row < MOST_READ_ERRORS:
            try:
                for packet in self._container.demux():
                    if packet.size:  # the last ones are empty and mean the end
                        errors_in_a_row = 0
                        self._read_bytes = (packet.pos or 0) + packet.size
                        noted = packet.dts if packet.pts is None else packet.pts
                        if noted is not None:
                            end, track = noted + (packet.duration or 0), packet.stream_index
                            self._ends[track] = max(self._ends.get(track, end), end)
                        yield packet
                return
            except IndexError:  # PyAV's, at the end, where a track that it does not know has come up on the way
                return
            except FFmpegError:
                errors_in_a_row += 1
                if not self._has_nothing_but_a_boundary_left():
                    on_error()

    def reached_s(self, track: int | None = None) -> float:
        """Where the packets so far end, of a track by its index or of all, in seconds since the start."""
        return max((self._end_s(one) for one in self._ends if track in (None, one)), default=0.0)

    def rewind(self) -> None:
        """Go back to the start, from a little before it: FFmpeg would find the second key frame of an MPEG stream."""
        self._ends.clear()
        self._container.seek((self._container.start_time or 0) - BEFORE_START_US)

    def describe(self) -> str:
        """FFmpeg's own description, many lines, which names codecs that it has no decoder for."""
        level = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)  # it is a log message
        try:
            return str(cast(Any, self._container).dumps_format())  # not in its stub
        finally:
            av.logging.set_level(level)

    def close(self) -> None:
        """Release it. Calling it again does nothing."""
        self._container.close()

    def _has_nothing_but_a_boundary_left(self) -> bool:
        """True at the end of a multipart file, where FFmpeg takes it for an error that nothing follows."""
        return self.format == MULTIPART and 0 <= self._container.size - self._read_bytes <= BOUNDARY_BYTES

    def _end_s(self, track: int) -> float:
        base = self._container.streams[track].time_base
        return float(self._ends[track] * base) - (self.start_s or 0.0) if base else 0.0


def open_file(target: str, label: str, hwaccel: HWAccel | None = None) -> Container:
    """Open a file, and no other file or host that it may refer to.

    Raises:
        FFmpegError: it cannot be opened.
        SourceOpenError: it is a picture.
    """
    options = {"protocol_whitelist": "file"}
    container = Container(target, label=label, options=options, hwaccel=hwaccel)
    if not (container.format.endswith("_pipe") or container.format in (*JPEGS, LISTED_PICTURES)):
        return container
    kind = "mjpeg" if container.format in JPEGS else container.format
    goes_on = container.format != LISTED_PICTURES and _goes_on(container)
    container.close()
    if goes_on and not (kind == "mjpeg" and is_photo(Path(target))):
        return Container(target, label=label, options=options, hwaccel=hwaccel, kind=kind)
    raise SourceOpenError(f"{label}: {what_picture(Path(target))}")


def _goes_on(container: Container) -> bool:
    """True where another picture follows the first one."""
    return len(list(islice(container.packets(on_error=lambda: None), 2))) == 2
