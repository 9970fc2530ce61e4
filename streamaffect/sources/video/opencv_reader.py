"""Reading video files with OpenCV, for machines without PyAV.

OpenCV hides much of a file: of the display matrix it applies quarter turns alone, and pixel aspect, interlacing, start
time and the choice of a track not at all; it ends at the first damage, and opens files under a lock of the process.
"""

import logging
import threading
from pathlib import Path

import cv2

from streamaffect.errors import SourceOpenError
from streamaffect.sources.capture import open_capture, positive, retrieve
from streamaffect.sources.sound.file_sound import FileSound
from streamaffect.sources.timestamps import ContainerClock
from streamaffect.sources.video.path import checked_file, printable, why_not_a_video
from streamaffect.types import ImageArray

log = logging.getLogger(__name__)

TRUNCATED_BELOW = 0.9


class OpenCvReader:
    """A `VideoReader` on `cv2.VideoCapture`.

    Raises:
        SourceOpenError: on construction, where the file is not a readable video, or a track is asked for.
    """

    def __init__(
        self, path: Path, track: int | None = None, sound: FileSound | None = None, hwaccel: str = "off"
    ) -> None:
        self._label = printable(path)
        if sound is not None:
            sound.absent(f"{self._label}: sound needs PyAV; pip install av")
        if hwaccel != "off":
            log.warning("source.hwaccel needs PyAV (pip install av); the processor decodes")
        if track is not None:
            raise SourceOpenError(f"{self._label}: OpenCV cannot choose a video track; pip install av")
        self._capture = _open(path, self._label)
        self.fps = positive(self._capture.get(cv2.CAP_PROP_FPS))
        frames = positive(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frames = round(frames) if frames else None
        self.duration_s = self.frames / self.fps if self.frames and self.fps else None
        self.track: int | None = None
        self.read_frames = 0
        self._grabbed = 0
        self._clock = ContainerClock(fps=self.fps)
        self._lock = threading.Lock()
        self._closed = False
        self._first = self._decode()
        if self._first is None:
            self.close()
            raise SourceOpenError(f"{self._label}: has no frame that can be decoded; the file is cut off or damaged")
        height, width = self._first[1].shape[:2]
        self.size = (width, height)

    def next(self) -> tuple[float, ImageArray] | None:
        """Seconds and picture of the next frame, or None at the end."""
        first, self._first = self._first, None
        decoded = first or self._decode()
        self.read_frames += decoded is not None
        return decoded

    def rewind(self) -> None:
        """Go back to the first picture."""
        with self._lock:
            if not self._closed:
                self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
        self._clock = ContainerClock(fps=self.fps)
        self._first = None
        self._grabbed = 0

    def complaint(self) -> str | None:
        """That far fewer frames came than the container states."""
        if not self.frames or self._grabbed >= TRUNCATED_BELOW * self.frames:
            return None
        ended = f"ended after {self._grabbed} of about {self.frames} frames"
        return f"{self._label}: {ended}; the file is cut off or damaged from there on"

    def close(self) -> None:
        """Release the file; waits for a decoding in progress."""
        with self._lock:
            self._closed = True
            self._capture.release()

    def _decode(self) -> tuple[float, ImageArray] | None:
        with self._lock:
            while not self._closed and self._capture.grab():
                time_s = self._clock.next(self._timestamp())
                self._grabbed += 1
                image = retrieve(self._capture)
                if image is not None:
                    return time_s, image
        return None

    def _timestamp(self) -> float | None:
        milliseconds = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        missing = milliseconds < 0.0 or (milliseconds == 0.0 and self._grabbed > 0)
        return None if missing else milliseconds * 1e-3


def _open(path: Path, label: str) -> cv2.VideoCapture:
    file = checked_file(path)
    try:
        str(file).encode("utf-8")  # OpenCV ends the process at a name with bytes that are no text
    except UnicodeEncodeError as error:
        raise SourceOpenError(f"{label}: OpenCV cannot open such a name; rename it, or pip install av") from error
    capture = open_capture(str(file), backend=cv2.CAP_FFMPEG, options=[cv2.CAP_PROP_N_THREADS, 1])
    if capture is None:
        raise SourceOpenError(f"{label}: {why_not_a_video(file, 'OpenCV')}")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture
