"""OpenCV's capture, silent on stderr, with its options in one place.

OpenCV and FFmpeg explain failures on stderr, in many lines and with credentials in them; the sources say the same in
one line instead.
"""

import os
from collections.abc import Sequence
from functools import cache

import cv2

from streamaffect.types import ImageArray

FFMPEG_QUIET = "-8"


@cache
def silence_opencv() -> None:
    """Switch off what OpenCV and FFmpeg print, unless the user has asked for it in the environment."""
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", FFMPEG_QUIET)


def open_capture(target: str | int, *, backend: int, options: Sequence[int] = ()) -> cv2.VideoCapture | None:
    """The open capture of a path, URL or camera index, or None where OpenCV cannot open it.

    `options` are pairs of `cv2.CAP_PROP_*` and value that must be known at the opening.
    """
    silence_opencv()
    capture = cv2.VideoCapture(target, backend, list(options))  # type: ignore[arg-type,call-overload,unused-ignore]
    if capture.isOpened():
        return capture
    capture.release()
    return None


def retrieve(capture: cv2.VideoCapture) -> ImageArray | None:
    """The picture that was grabbed last, (H, W, 3) uint8 BGR, or None where it cannot be decoded."""
    decoded, image = capture.retrieve()
    if not decoded or image is None:
        return None
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return image  # type: ignore[return-value]


def positive(value: float) -> float | None:
    """A property of a capture, None where OpenCV answers 0, negative, or nonsense for "unknown"."""
    return value if 0.0 < value < 1e9 else None
