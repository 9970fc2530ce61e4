"""The pictures of an open camera, live: what cannot be decoded is gone over, silence and a broken line end it."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from av.codec.context import Flags
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamaffect.clock import monotonic_ns
from streamaffect.errors import SourceOpenError, SourceStalledError
from streamaffect.sources.grabber import Look
from streamaffect.sources.pacing import LivePacer
from streamaffect.sources.sound.live_line import LiveLine
from streamaffect.sources.sound.remote import RemoteSound
from streamaffect.sources.sound.tracks import chosen_sound
from streamaffect.sources.video.canvas import Canvas
from streamaffect.sources.video.decoder import Decoder
from streamaffect.sources.video.deinterlace import Deinterlacer
from streamaffect.sources.video.rate import rate_of

# Enough to know what it is: what is analysed has to be waited for, and the decoder finds out the rest.
SHORT_ANALYSIS = {"fpsprobesize": "0", "analyzeduration": "500000"}
MOST_READ_ERRORS = 16  # in a row
LONGEST_PIECE_S = 15.0  # of a stream that comes in pieces
JITTER_S = 0.5
LARGE_PX = 1920 * 1088  # above, one thread may be too slow to follow
MOST_THREADS = 4


class Camera:
    """A `Capture` of a container that PyAV has opened.

    fps:        frames per second as the stream states them; None where it does not

    label:      what messages call it
    silence_s:  the time after which the container gives up reading
    slack_s:    by so much more than usual may pass between two pictures
    pacer:      for pictures that come in bursts; None shows each when it comes
    trouble:    why reading has failed, where whoever reads for the container knows it
    on_release: called when the stream is left
    sound:      takes what is heard beside the pictures; None leaves it unsent or undecoded
    """

    def __init__(
        self,
        opened: InputContainer,
        *,
        label: str,
        silence_s: float,
        slack_s: Callable[[], float] = lambda: 0.0,
        pacer: LivePacer | None = None,
        trouble: Callable[[], str | None] = lambda: None,
        on_release: Callable[[], None] = lambda: None,
        sound: LiveLine | None = None,
    ) -> None:
        self._opened = opened
        self._label = label
        self._silence_s = silence_s
        self._slack_s = slack_s
        self._pacer = pacer
        self._trouble = trouble
        self._on_release = on_release
        self._ready: deque[VideoFrame] = deque()
        self._came_ns = 0
        self._shown = self._errors_in_a_row = 0
        self._losses = _Losses()
        self._track = _video_track(opened, label)
        self._sound = (
            None if sound is None else _sound_of(opened, sound, label, early_s=LONGEST_PIECE_S if pacer else JITTER_S)
        )
        self._wanted = [self._track.index] if self._sound is None else [self._track.index, self._sound.index]
        _discard_others(opened, self._wanted)
        self._decoder = _decoder(self._track, on_error=self._losses.note)
        self._deinterlacer = Deinterlacer()
        self._canvas = Canvas(self._track)
        self._packets: Iterator[Packet[Stream]] = iter(())
        self.fps = rate_of(self._track, opened.format.name).fps

    @property
    def slack_s(self) -> float:
        """Seconds of silence beyond the usual that mean nothing."""
        return self._slack_s()

    def read(self) -> Look | None:
        """The next picture; None where what came does not make one yet.

        Raises:
            SourceStalledError: there is silence, or the connection is broken.
        """
        if not self._ready:
            self._decode_next_packet()
        if not self._ready:
            return Look(None, self._came_ns) if self._losses.forget() else None
        frame = self._ready.popleft()
        picture = None
        try:
            if not frame.is_corrupt:
                picture = self._canvas.show(frame)
        except (FFmpegError, OSError):  # a picture of a kind that cannot be shown
            picture = None
        if self._pacer is not None:
            self._pacer.wait(frame.time)
            self._came_ns = monotonic_ns()
        if self._sound is not None:
            self._sound.note_picture(frame.time, self._came_ns / 1e9)
        self._shown += picture is not None
        return Look(picture, self._came_ns)

    def release(self) -> None:
        """Leave the stream."""
        self._packets = iter(())
        self._ready.clear()
        self._opened.close()
        self._on_release()

    def _decode_next_packet(self) -> None:
        packet = self._next_packet()
        self._came_ns = monotonic_ns()
        if packet is None:
            return
        if self._sound is not None:
            if packet.stream_index == self._sound.index:
                self._sound.take(packet, self._came_ns / 1e9)
                return
            self._sound.note_packet(packet)
        for frame in self._decoder.frames(packet):
            self._ready.extend(self._deinterlacer.take(frame))

    def _next_packet(self) -> "Packet[Stream] | None":
        try:
            packet = next(self._packets, None)
            if packet is None:
                self._packets = self._opened.demux(*self._wanted)
                packet = next(self._packets, None)
        except (ExitError, TimeoutError) as error:
            raise self._stalled(f"no data for {self._silence_s:g} s") from error
        except IndexError as error:  # PyAV's, at the end, where a track that it does not know has come up on the way
            raise self._broken() from error
        except FFmpegError as error:
            self._errors_in_a_row += 1
            if self._errors_in_a_row > MOST_READ_ERRORS:
                raise self._broken() from error
            self._losses.note()
            return None
        if packet is None or not packet.size:  # an empty one means the end
            raise self._broken()
        self._errors_in_a_row = 0
        return packet

    def _broken(self) -> SourceStalledError:
        return self._stalled(f"the connection broke after {self._shown} frames")

    def _stalled(self, otherwise: str) -> SourceStalledError:
        return SourceStalledError(f"{self._label}: {self._trouble() or otherwise}")


class _Losses:
    """Whether something was lost since this was last asked.

    The decoder tells it, and does not know the camera: in a circle, pictures of megabytes would wait for the collector.
    """

    def __init__(self) -> None:
        self._is_noted = False

    def note(self) -> None:
        self._is_noted = True

    def forget(self) -> bool:
        noted, self._is_noted = self._is_noted, False
        return noted


def _video_track(opened: InputContainer, label: str) -> VideoStream:
    """The video track to look at."""
    track = opened.streams.best("video")
    if not isinstance(track, VideoStream):
        raise SourceOpenError(f"{label}: sends no video; choose another path or stream of this camera")
    if track.codec_context is None:
        raise SourceOpenError(f"{label}: FFmpeg has no decoder for its video; set the camera to H.264 or H.265")
    return track


def _sound_of(opened: InputContainer, line: LiveLine, label: str, *, early_s: float) -> RemoteSound | None:
    """What listens to the camera; None where there is nothing to hear, which is told, and the pictures go on."""
    try:
        track = chosen_sound(opened.streams.audio, None, label=label).stream
    except SourceOpenError as error:
        line.absent_once(str(error))
        return None
    return RemoteSound(track, line, early_s=early_s, is_rtsp=opened.format.name == "rtsp", label=label)


def _discard_others(opened: InputContainer, wanted: Sequence[int]) -> None:
    """What nobody looks at or listens to need not be sent."""
    for other in opened.streams:
        if other.index not in wanted:
            other.discard = Discard.all


def _decoder(track: VideoStream, *, on_error: Callable[[], None]) -> Decoder:
    decoder = Decoder(track, on_error=on_error, on_suspect=lambda: None, single_thread=True)
    context = track.codec_context
    context.flags |= Flags.low_delay
    if context.width * context.height > LARGE_PX and not context.is_hwaccel:
        # Threads that share a picture hold none back.
        context.thread_type, context.thread_count = "SLICE", min(MOST_THREADS, os.cpu_count() or 1)
    return decoder
