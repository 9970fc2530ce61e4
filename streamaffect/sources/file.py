"""Video files: every frame, in order, at its container's timestamp; or paced by them as if it were live."""

import logging
from pathlib import Path
from typing import Literal

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import SourceEndedError
from streamaffect.sources.base import Source, SourceInfo
from streamaffect.sources.pacing import Pacer
from streamaffect.sources.sound.file_sound import FileSound
from streamaffect.sources.video.path import printable
from streamaffect.sources.video.reader import VideoReader, open_video
from streamaffect.types import Frame

log = logging.getLogger(__name__)


class FileSource(Source):
    """A video file. With `realtime` it is paced by its timestamps and behaves like a live source that ends.

    track: which of several video tracks, counted from 0; None is the file's default
    sound: takes what is heard beside the pictures; None leaves it undecoded
    hwaccel: "auto" lets a device decode where one can
    """

    def __init__(
        self,
        path: Path,
        *,
        realtime: bool = False,
        track: int | None = None,
        sound: FileSound | None = None,
        hwaccel: Literal["off", "auto"] = "off",
    ) -> None:
        self._path = path
        self._label = printable(path)
        self._realtime = realtime
        self._track = track
        self._sound = sound
        self._hwaccel = hwaccel
        self._pacer = Pacer()
        self._reader: VideoReader | None = None
        self._clock = Clock.now()
        self._index = 0

    def open(self) -> SourceInfo:
        """Open the file and decode its first frame."""
        if self._pacer.stopped:
            raise SourceEndedError(f"{self._label}: was closed")
        reader = self._reader = open_video(self._path, track=self._track, sound=self._sound, hwaccel=self._hwaccel)
        width, height = reader.size
        return SourceInfo(
            kind="file",
            address=self._label if reader.track is None else f"{self._label}#video={reader.track}",
            live=self._realtime,
            width=width,
            height=height,
            fps=reader.fps,
            frames=reader.frames,
            duration_s=reader.duration_s,
        )

    def read(self) -> Frame:
        """Decode the next frame; with `realtime`, wait until it is due."""
        decoded = self._reader.next() if self._reader and not self._pacer.stopped else None
        if decoded is None:
            self._hand_over_sound()
            raise SourceEndedError(self._ending())
        pts_s, picture = decoded
        if self._realtime and not self._pacer.wait(pts_s):
            raise SourceEndedError(f"{self._label}: was closed")
        self._hand_over_sound()
        index, self._index = self._index, self._index + 1
        if not self._realtime:
            return Frame(picture, index, time_s=pts_s, t_capture_ns=round(pts_s * 1e9), grabbed_ns=None, pts_s=pts_s)
        grabbed_ns = monotonic_ns()
        return Frame(picture, index, grabbed_ns * 1e-9, self._clock.utc(grabbed_ns), grabbed_ns, pts_s)

    def close(self) -> None:
        """Stop waiting and release the file."""
        self._pacer.stop()
        if self._reader:
            self._reader.close()

    def _hand_over_sound(self) -> None:
        if self._sound is None:
            return
        if self._realtime:
            self._sound.hand_over_live(self._pacer.zero_s, self._clock)
        else:
            self._sound.hand_over()

    def _ending(self) -> str:
        reader = self._reader
        if reader is None or self._pacer.stopped:
            return f"{self._label}: is not open"
        if complaint := reader.complaint():
            log.warning(complaint)
        return f"{self._label}: ended after {reader.read_frames} frames"
