"""Cameras of this machine, by index."""

import sys
import threading
from pathlib import Path

import cv2

from streamaffect.clock import monotonic_ns
from streamaffect.errors import SourceOpenError, SourceStalledError
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source, SourceInfo
from streamaffect.sources.capture import open_capture, positive, retrieve
from streamaffect.sources.grabber import Look
from streamaffect.sources.live import LiveCapture
from streamaffect.types import Frame

BACKENDS = {"linux": cv2.CAP_V4L2, "darwin": cv2.CAP_AVFOUNDATION, "win32": cv2.CAP_MSMF}


class WebcamSource(Source):
    """Camera number `index`, asked for the settings' size and rate; the newest frame wins."""

    def __init__(self, index: int, *, settings: SourceSettings) -> None:
        self._index = index
        self._settings = settings
        self._live = LiveCapture(kind="webcam", label=f"webcam:{index}", settings=settings)

    def open(self) -> SourceInfo:
        """Open the camera and wait for its first picture."""
        connect = self._connect
        if threading.current_thread() is threading.main_thread() and sys.platform == "darwin":
            # macOS asks for permission only from the main thread; elsewhere a driver that hangs must not hold it up.
            capture = self._connect()
            connect = lambda: capture  # noqa: E731
        return self._live.open(connect, silence_hint="another program may be using it")

    def read(self) -> Frame:
        """The newest picture of the camera."""
        return self._live.read()

    def close(self) -> None:
        """Release the camera."""
        self._live.close()

    def _connect(self) -> "Webcam":
        capture = open_capture(self._index, backend=BACKENDS.get(sys.platform, cv2.CAP_ANY))
        if capture is None:
            raise SourceOpenError(f"webcam:{self._index}: no such camera; {_what_to_try()}")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._settings.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._settings.height)
        capture.set(cv2.CAP_PROP_FPS, self._settings.fps)
        return Webcam(capture, label=f"webcam:{self._index}")


class Webcam:
    """A `Capture` of OpenCV's. OpenCV opens one at a time in a process: webcams wait for each other, nothing else does.

    fps:     frames per second as the driver states them
    slack_s: a driver has none
    """

    def __init__(self, capture: cv2.VideoCapture, *, label: str) -> None:
        self._capture = capture
        self._label = label
        self.fps = positive(capture.get(cv2.CAP_PROP_FPS))
        self.slack_s = 0.0
        self._frames = 0

    def read(self) -> Look:
        """The next picture."""
        if not self._capture.grab():
            raise SourceStalledError(f"{self._label}: the connection broke after {self._frames} frames")
        grabbed_ns = monotonic_ns()
        self._frames += 1
        return Look(retrieve(self._capture), grabbed_ns)

    def release(self) -> None:
        """Let go of the camera."""
        self._capture.release()


def _what_to_try() -> str:
    if sys.platform == "darwin":
        return "allow the terminal in System Settings > Privacy & Security > Camera, or try webcam:1 or demo"
    if sys.platform != "linux":
        return "allow cameras in the privacy settings, or try webcam:1 or demo"
    devices = sorted(Path("/dev").glob("video*"))
    if not devices:
        return "this machine has no /dev/video*; plug one in, or try --source demo"
    unreadable = [device for device in devices if not _readable(device)]
    if unreadable:
        return f"no permission to read {unreadable[0]}; add yourself to the group `video`, or try --source demo"
    numbers = ", ".join(f"webcam:{device.name.removeprefix('video')}" for device in devices)
    return f"try another of {numbers} (close programs that use it), or --source demo"


def _readable(device: Path) -> bool:
    try:
        with device.open("rb"):
            return True
    except PermissionError:
        return False
    except OSError:
        return True
