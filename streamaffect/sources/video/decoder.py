"""From the packets of one video track to its frames, in the order and with the times in which they are shown."""

import os
from collections.abc import Callable, Sequence
from itertools import pairwise

from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

MOST_THREADS = 4
HELD_FRAMES = 5  # of which the first that is decoded ahead would jump: encoders place up to three before it
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
    While it is unclear what the container notes, a few frames are held back, in which a jump would show.
    """

    def __init__(self, track: VideoStream) -> None:
        self._is_clear = not track.codec_context.has_b_frames  # without frames that are decoded ahead all are in order
        self._by_decoding = False
        self._held: list[VideoFrame] = []
        self._start: int | None = None  # when the first packet is decoded
        self._first: int | None = None  # when that is which completes the first frame
        self._last: int | None = None  # when that was for the last frame
        self._step = 1  # from one to the next

    def note(self, packet: "Packet[Stream]") -> None:
        """Look at a packet of the track before its frames are taken."""
        if self._start is None:
            self._start = packet.dts
        if packet.pts is not None and packet.pts != packet.dts:
            self._is_clear = True  # it notes both

    def take(self, frames: list[VideoFrame]) -> list[VideoFrame]:
        """The frames that can be shown by now."""
        if self._first is None and frames:
            self._first = frames[0].dts
        self._held += frames
        if not (self._is_clear or self._by_decoding):
            self._by_decoding = _jump([frame.pts for frame in self._held])
        sure = self._is_clear or self._by_decoding
        return self._released(len(self._held) if sure else max(0, len(self._held) - HELD_FRAMES))

    def rest(self, frames: list[VideoFrame]) -> list[VideoFrame]:
        """Those that are left at the end of the track."""
        return [*self.take(frames), *self._released(len(self._held))]

    def _released(self, count: int) -> list[VideoFrame]:
        frames, self._held = self._held[:count], self._held[count:]
        if self._by_decoding:
            for frame in frames:
                self._place(frame)
        return frames

    def _place(self, frame: VideoFrame) -> None:
        last = self._last
        # The last frames are completed by no packet.
        dts = (0 if last is None else last + self._step) if frame.dts is None else frame.dts
        if self._first is None:
            self._first = dts
        if last is not None:
            self._step = dts - last
        self._last = dts
        frame.pts = (self._start or 0) + dts - self._first


def _jump(times: Sequence[int | None]) -> bool:
    """Whether the times of frames, in the order in which they are shown, are no times to show them."""
    known = [time for time in times if time is not None]
    return len(known) < len(times) or any(later <= earlier for earlier, later in pairwise(known))


def _threads(pixels: int) -> int:
    """Between the two sizes only as many as leave the other stages their processors."""
    if pixels <= SMALL_PX:
        return 1
    processors = os.cpu_count() or 1
    return max(1, min(MOST_THREADS, processors if pixels > LARGE_PX else processors // 2))
