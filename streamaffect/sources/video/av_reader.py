"""Reading video files with PyAV."""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from av.error import FFmpegError
from av.video.frame import VideoFrame

from streamaffect.errors import SourceOpenError
from streamaffect.sources.sound.alongside import Alongside, beside
from streamaffect.sources.sound.file_sound import FileSound
from streamaffect.sources.timestamps import ContainerClock
from streamaffect.sources.video.canvas import Canvas
from streamaffect.sources.video.container import Container, open_file
from streamaffect.sources.video.damage import Damage
from streamaffect.sources.video.decoder import Decoder, ShownTimes
from streamaffect.sources.video.deinterlace import Deinterlacer
from streamaffect.sources.video.ending import ended_early, is_shorter_than_its_parts
from streamaffect.sources.video.hwaccel import Hwaccel, decoding_device
from streamaffect.sources.video.path import checked_file, printable, why_not_a_video
from streamaffect.sources.video.rate import rate_of
from streamaffect.sources.video.tracks import chosen_track, duration_s, stated_end_s
from streamaffect.types import ImageArray, Picture

log = logging.getLogger(__name__)

USUAL_PERIOD_S = 0.04

Shown = tuple[float, ImageArray | Picture]


class AvReader:
    """A `VideoReader` on FFmpeg's demuxers and decoders.

    Raises:
        SourceOpenError: on construction, where the file is not a readable video.
    """

    def __init__(
        self, path: Path, track: int | None = None, sound: FileSound | None = None, hwaccel: Hwaccel = "off"
    ) -> None:
        self._label = printable(path)
        self._file = checked_file(path)
        self._wanted = track
        self._sound = sound
        self._hwaccel = hwaccel
        self._lock = threading.Lock()
        self._closed = False
        self.read_frames = 0
        self._coming: deque[Shown] = deque()
        self._frames: Iterator[VideoFrame] = iter(())
        self._start(single_thread=False)
        try:
            self._describe()
        except BaseException:
            self.close()
            raise

    def next(self) -> Shown | None:
        """Seconds and picture of the next frame, or None at the end."""
        with self._lock:
            shown = self._coming.popleft() if self._coming else self._show()
            self.read_frames += shown is not None
            return shown

    def rewind(self) -> None:
        """Go back to the first picture."""
        with self._lock:
            if self._closed:
                return
            self._coming.clear()
            self.read_frames = 0
            try:
                self._container.rewind()
            except FFmpegError:  # a bare stream, in which nothing can be found
                self._reopen(single_thread=False)
                return
            self._decoder.restart()
            if self._alongside is not None:
                self._alongside.sound.restart()
            self._begin()

    def complaint(self) -> str | None:
        """What is missing of the file, in one line."""
        pictures = self.read_frames
        words = self._damage.words(pictures)
        stated = stated_end_s(self._track, self._container.start_s)
        if ended_early(self._container, self._track.index, stated_s=stated):
            frames = max(self._track.frames, self.frames or 0)
            of_about = f" of about {frames}" if frames else ""
            words = f"ended after {pictures}{of_about} frames; the file is cut off or damaged from there on"
        elif words is None and (self._damage.at_the_end or is_shorter_than_its_parts(self._file)):
            words = f"is cut off or damaged at its end, after {pictures} frames"
        return None if words is None else f"{self._label}: {words}"

    def close(self) -> None:
        """Release the file; waits for a decoding in progress."""
        with self._lock:
            self._closed = True
            self._coming.clear()
            self._frames = iter(())
            self._container.close()

    def _start(self, *, single_thread: bool) -> None:
        """Open the file, for reading from its start."""
        self._container = _open(self._file, self._label, self._hwaccel)
        try:
            self._track, self.track = chosen_track(self._container, self._wanted)
        except BaseException:
            self._container.close()
            raise
        self._rate = rate_of(self._track, self._container.format)
        self._damage = Damage(1.0 / self._rate.fps if self._rate.fps else USUAL_PERIOD_S)
        self._decoder = Decoder(
            self._track,
            on_error=self._damage.error,
            on_suspect=self._damage.suspect,
            single_thread=single_thread,
        )
        self._canvas = Canvas(self._track)
        self._alongside = None if self._sound is None else self._beside(self._sound)
        self._begin()

    def _begin(self) -> None:
        self._clock = ContainerClock(fps=self._rate.fps)
        self._shown_times = ShownTimes(self._track)
        self._deinterlacer = Deinterlacer()
        self._zero_s: float | None = None
        self._taken = 0
        self._frames = self._decoded()

    def _describe(self) -> None:
        """Decode the first pictures, and find out what is to be told of the file."""
        first = [self._show(), self._show()]
        self._coming.extend(shown for shown in first if shown is not None)
        if not self._coming:
            raise SourceOpenError(f"{self._label}: has no frame that can be decoded; the file is cut off or damaged")
        height, width = self._coming[0][1].shape[:2]
        self.size = (width, height)
        self.fps = self._rate.fps
        # A track that starts late may state when it ends, and nothing is longer than the whole.
        lengths_s = [length for length in (duration_s(self._track), self._container.duration_s) if length]
        self.duration_s = min(lengths_s, default=None)
        self.frames = self._stated_frames()
        if self._rate.warning:
            log.warning("%s: %s", self._label, self._rate.warning)
        if self.track is not None and self._wanted is None:
            log.warning("%s: has several video tracks; #video=%d is read, its default", self._label, self.track)

    def _stated_frames(self) -> int | None:
        if len(self._coming) == 1:
            return 1
        by_time = round(self.duration_s * self.fps) if self.duration_s and self.fps else None
        # A file that was trimmed without being decoded still counts what was trimmed away.
        counts = [count for count in (self._track.frames, by_time) if count]
        return min(counts) if counts else None

    def _show(self) -> Shown | None:
        """The next picture that can be shown."""
        while (frame := self._next_frame()) is not None:
            try:
                picture = self._canvas.show(frame)
            except (FFmpegError, OSError):
                self._damage.error()
                continue
            time_s = self._clock.next(self._seconds(frame))
            self._damage.picture(time_s)
            return time_s, picture
        return None

    def _seconds(self, frame: VideoFrame) -> float | None:
        """Since the file's start; None where the container says nothing."""
        if self._rate.is_the_only_clock or (time_s := frame.time) is None:
            return None
        if self._zero_s is None:
            start_s = self._container.start_s
            self._zero_s = time_s if start_s is None else min(start_s, time_s)
        return time_s - self._zero_s

    def _next_frame(self) -> VideoFrame | None:
        frame = next(self._frames, None)
        if self._decoder.threads > 1 and self._damage.is_suspected:
            self._again_with_one_thread()
            frame = next(self._frames, None)
        self._taken += 1
        return frame

    def _again_with_one_thread(self) -> None:
        """Come to the same place once more: what is made of damaged pictures depends on the number of threads."""
        taken = self._taken
        self._reopen(single_thread=True)
        for frame in islice(self._frames, taken):
            self._damage.picture(self._clock.next(self._seconds(frame)))
        self._taken = taken

    def _beside(self, sound: FileSound) -> Alongside | None:
        """What decodes the sound on the way; None where there is none."""
        start_s = self._container.start_s or 0.0
        tracks, label = self._container.sound_tracks, self._label
        return beside(tracks, sound, start_s=start_s, label=label, offsets=lambda: self._clock.offsets_s)

    def _reopen(self, *, single_thread: bool) -> None:
        self._container.close()
        self._start(single_thread=single_thread)

    def _decoded(self) -> Iterator[VideoFrame]:
        packets, track = self._container.packets(on_error=self._damage.error), self._track.index
        for packet in packets if self._alongside is None else self._alongside.packets(packets):
            if packet.stream_index != track:
                continue
            self._shown_times.note(packet)
            for frame in self._shown_times.take(self._decoder.frames(packet)):
                yield from self._deinterlacer.take(frame)
        for frame in self._shown_times.rest(self._decoder.rest()):
            yield from self._deinterlacer.take(frame)
        yield from self._deinterlacer.rest()


def _open(file: Path, label: str, hwaccel: Hwaccel) -> Container:
    try:
        return open_file(str(file), label, decoding_device(hwaccel))
    except (FFmpegError, ValueError) as error:
        raise SourceOpenError(f"{label}: {why_not_a_video(file, 'FFmpeg')}") from error
