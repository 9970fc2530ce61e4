"""From the packets of one video track to its frames, in the order and with the times in which they are shown."""

import os
from collections.abc import Callable
from itertools import pairwise

from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

MOST_THREADS = 4
ENOUGH_FRAMES = 16  # in order: the first of them that is decoded ahead would have jumped
# Up to here one thread decodes faster than affect is estimated, and threads that decode a frame each cost a tenth more.
SMALL_PX, LARGE_PX = 1280 * 720, 1920 * 1088


class Decoder:
    """Decodes one track.

    on_error:   called for each packet that cannot be decoded; the next key frame is sound again
    on_suspect: called for each packet of which the container thinks that it, or one before it, is not whole
    """

    def __init__(
        self,
        track: VideoStream,
        *,
        on_error: Callable[[], None],
        on_suspect: Callable[[], None],
        single_thread: bool = False,
    ) -> None:
        self._context = track.codec_context
        self._time_base = track.time_base
        self._on_error = on_error
        self._on_suspect = on_suspect
        self.threads = (
            1 if single_thread or self._context.is_hwaccel else _threads(self._context.width * self._context.height)
        )
        self._context.thread_count = self.threads
        self._context.thread_type = "FRAME" if self.threads > 1 else "SLICE"

    def frames(self, packet: "Packet[Stream]") -> list[VideoFrame]:
        """The frames that become complete with a packet of this track; none where it cannot be decoded."""
        if packet.is_corrupt:
            self._on_suspect()
        return self._decode(packet)

    def rest(self) -> list[VideoFrame]:
        """The frames that were held back, at the end of the track."""
        frames = self._decode(None)
        for frame in frames:
            if not frame.time_base:  # all frames were held back to the end, whose packet brings none
                frame.time_base = self._time_base
        return frames

    def restart(self) -> None:
        """Be ready for packets from another place of the track."""
        self._context.flush_buffers()

    def _decode(self, packet: "Packet[Stream] | None") -> list[VideoFrame]:
        try:
            return self._context.decode(packet)
        except FFmpegError:
            self._on_error()
            return []


class ShownTimes:
    """Gives the frames of a file the times at which they are shown, where the container notes when they are decoded.

    AVI has no other times, nor has MXF by some writers. Frames that others refer to are decoded ahead, so that theirs
    would jump back and forth; FFmpeg tells with each frame the packet that completed it, whose times are in order.
    """

    def __init__(self, track: VideoStream) -> None:
        self._start: int | None = None  # when the first packet is decoded
        # Without frames that are decoded ahead there is nothing to find out.
        self._by_decoding = None if track.codec_context.has_b_frames else False
        self._held: list[VideoFrame] = []
        self._first: int | None = None
        self._last, self._step = 0, 1  # in units of the track's time

    def note(self, packet: "Packet[Stream]") -> None:
        """Look at a packet of the track before its frames are taken."""
        if self._start is None:
            self._start = packet.dts
        if self._by_decoding is None and packet.pts is not None and packet.pts != packet.dts:
            self._by_decoding = False  # it notes both

    def take(self, frames: list[VideoFrame]) -> list[VideoFrame]:
        """The frames that can be shown by now: until it is clear what the container notes, some are held back."""
        self._held += frames
        if self._by_decoding is None:
            self._by_decoding = _are_out_of_order(self._held)
        return [] if self._by_decoding is None else self._released()

    def rest(self, frames: list[VideoFrame]) -> list[VideoFrame]:
        """The same at the end of the track."""
        self._held += frames
        return self._released()

    def _released(self) -> list[VideoFrame]:
        frames, self._held = self._held, []
        if self._by_decoding:
            for frame in frames:
                self._place(frame)
        return frames

    def _place(self, frame: VideoFrame) -> None:
        # The last ones are completed by no packet.
        dts = self._last + self._step if frame.dts is None else frame.dts
        if self._first is None:
            self._first = dts
        else:
            self._step = dts - self._last
        self._last = dts
        frame.pts = (self._start or 0) + dts - self._first


def _are_out_of_order(frames: list[VideoFrame]) -> bool | None:
    """Whether the times of frames, in the order in which they are shown, are no times to show them; None: not known."""
    times = [frame.pts for frame in frames]
    if None in times or any(later <= earlier for earlier, later in pairwise(times)):  # type: ignore[operator]
        return True
    return False if len(frames) >= ENOUGH_FRAMES else None


def _threads(pixels: int) -> int:
    """Between the two sizes only as many as leave the other stages their processors."""
    if pixels <= SMALL_PX:
        return 1
    processors = os.cpu_count() or 1
    return max(1, min(MOST_THREADS, processors if pixels > LARGE_PX else processors // 2))
