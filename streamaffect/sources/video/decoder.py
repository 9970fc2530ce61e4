"""From the packets of one video track to its frames, in the order in which they are shown."""

import os
from collections.abc import Callable

from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

MOST_THREADS = 4
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


def _threads(pixels: int) -> int:
    """Between the two sizes only as many as leave the other stages their processors."""
    if pixels <= SMALL_PX:
        return 1
    processors = os.cpu_count() or 1
    return max(1, min(MOST_THREADS, processors if pixels > LARGE_PX else processors // 2))
