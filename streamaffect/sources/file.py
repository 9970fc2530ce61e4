"""Video files: every frame, in order, at its container's timestamp; or paced by them as if it were live."""

import logging
import threading
from pathlib import Path

import cv2

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import SourceEndedError, SourceOpenError
from streamaffect.sources.base import Source, SourceInfo
from streamaffect.sources.capture import open_capture, positive, retrieve
from streamaffect.sources.pacing import Pacer
from streamaffect.sources.timestamps import ContainerClock
from streamaffect.types import Frame, ImageArray

log = logging.getLogger(__name__)

TRUNCATED_BELOW = 0.9


class VideoReader:
    """The pictures of one video file with strictly increasing timestamps; one thread reads, any may close.

    Raises:
        SourceOpenError: on construction, where the file is not a readable video.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._capture = _open_video(path)
        self.fps = positive(self._capture.get(cv2.CAP_PROP_FPS))
        frames = positive(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frames = round(frames) if frames else None
        self.read_frames = 0
        self._clock = ContainerClock(fps=self.fps)
        self._lock = threading.Lock()
        self._closed = False
        self._first = self._decode()
        if self._first is None:
            self.close()
            raise SourceOpenError(f"{path}: has no frame that can be decoded; the file is cut off or damaged")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, after rotation."""
        return round(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))

    def next(self) -> tuple[float, ImageArray] | None:
        """Seconds and picture of the next frame, or None at the end."""
        first, self._first = self._first, None
        return first or self._decode()

    def close(self) -> None:
        """Release the file; waits for a decoding in progress."""
        with self._lock:
            self._closed = True
            self._capture.release()

    def _decode(self) -> tuple[float, ImageArray] | None:
        with self._lock:
            while not self._closed and self._capture.grab():
                time_s = self._clock.next(self._timestamp())
                self.read_frames += 1
                image = retrieve(self._capture)
                if image is not None:
                    return time_s, image
        return None

    def _timestamp(self) -> float | None:
        milliseconds = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        missing = milliseconds < 0.0 or (milliseconds == 0.0 and self.read_frames > 0)
        return None if missing else milliseconds * 1e-3


class FileSource(Source):
    """A video file. With `realtime` it is paced by its timestamps and behaves like a live source that ends."""

    def __init__(self, path: Path, *, realtime: bool = False) -> None:
        self._path = path
        self._realtime = realtime
        self._pacer = Pacer()
        self._reader: VideoReader | None = None
        self._clock = Clock.now()
        self._index = 0

    def open(self) -> SourceInfo:
        """Open the file and decode its first frame."""
        if self._pacer.stopped:
            raise SourceEndedError(f"{self._path}: was closed")
        reader = self._reader = VideoReader(self._path)
        width, height = reader.size
        return SourceInfo(
            kind="file",
            address=str(self._path),
            live=self._realtime,
            width=width,
            height=height,
            fps=reader.fps,
            frames=reader.frames,
            duration_s=reader.frames / reader.fps if reader.frames and reader.fps else None,
        )

    def read(self) -> Frame:
        """Decode the next frame; with `realtime`, wait until it is due."""
        decoded = self._reader.next() if self._reader and not self._pacer.stopped else None
        if decoded is None:
            raise SourceEndedError(self._ending())
        pts_s, image = decoded
        if self._realtime and not self._pacer.wait(pts_s):
            raise SourceEndedError(f"{self._path}: was closed")
        index, self._index = self._index, self._index + 1
        if not self._realtime:
            return Frame(image, index, time_s=pts_s, t_capture_ns=round(pts_s * 1e9), grabbed_ns=None, pts_s=pts_s)
        grabbed_ns = monotonic_ns()
        return Frame(image, index, grabbed_ns * 1e-9, self._clock.utc(grabbed_ns), grabbed_ns, pts_s)

    def close(self) -> None:
        """Stop waiting and release the file."""
        self._pacer.stop()
        if self._reader:
            self._reader.close()

    def _ending(self) -> str:
        reader = self._reader
        if reader is None or self._pacer.stopped:
            return f"{self._path}: is not open"
        if reader.frames and reader.read_frames < TRUNCATED_BELOW * reader.frames:
            log.warning(
                "%s: ended after %d of about %d frames; the file is cut off or damaged from there on",
                self._path,
                reader.read_frames,
                reader.frames,
            )
        return f"{self._path}: ended after {reader.read_frames} frames"


def _open_video(path: Path) -> cv2.VideoCapture:
    """Raise a `SourceOpenError` that says what the path is instead, where it is not a video."""
    size = _size_of_regular_file(path)
    if size == 0:
        raise SourceOpenError(f"{path}: is empty (0 bytes); expected a video file")
    # An absolute path, so that a name such as "concat:a" is a file and never an FFmpeg protocol.
    capture = open_capture(str(path.absolute()), backend=cv2.CAP_FFMPEG, options=[cv2.CAP_PROP_N_THREADS, 1])
    if capture is None:
        raise SourceOpenError(f"{path}: {_why_not_a_video(path, size)}")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def _size_of_regular_file(path: Path) -> int:
    try:
        if path.is_dir():
            raise SourceOpenError(f"{path}: is a folder; expected a video file, name one inside it")
        if not path.is_file():
            raise SourceOpenError(
                f"{path}: no such file; expected webcam, webcam:1, demo, synthetic, rtsp://…, http://… or a video file"
            )
        with path.open("rb"):
            return path.stat().st_size
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SourceOpenError(f"{path}: cannot be read ({reason}); check the permissions") from error


def _why_not_a_video(path: Path, size: int) -> str:
    with path.open("rb") as file:
        head = file.read(512)
    if head[4:8] == b"ftyp":
        return f"an MP4 without its index ({size} bytes); it is cut off, copy or record it again"
    if not head.translate(None, bytes(range(128))) and b"\0" not in head:
        return "is a text file; expected a video such as MP4, MKV, AVI, MPEG or GIF"
    return "is not a video that OpenCV can decode; expected MP4, MKV, AVI, MPEG or GIF (ffmpeg can convert it)"
