"""What every reader of video files can do, and which one opens a file: PyAV's, or OpenCV's where PyAV is missing."""

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

from streamaffect.sources.pyav import load_pyav
from streamaffect.sources.sound.file_sound import FileSound
from streamaffect.types import ImageArray, Picture

log = logging.getLogger(__name__)


class VideoReader(Protocol):
    """The pictures of one track of a video file, in order, with strictly increasing times.

    One thread reads, any may close.

    fps:         nominal frames per second; None where nobody says
    frames:      how many there should be, as the container states it; None where it does not
    duration_s:  how long the track should be; None where nobody says
    size:        width and height of the first picture in pixels, as it is shown
    track:       which of several video tracks is read, counted from 0; None where there is only one
    read_frames: pictures given so far
    """

    fps: float | None
    frames: int | None
    duration_s: float | None
    size: tuple[int, int]
    track: int | None
    read_frames: int

    def next(self) -> tuple[float, ImageArray | Picture] | None:
        """Seconds since the file's start, and the picture (H, W, 3) uint8 BGR; None at the end."""
        ...

    def rewind(self) -> None:
        """Go back to the first picture."""
        ...

    def complaint(self) -> str | None:
        """After the end: one line on what is missing of the file, None where it is whole."""
        ...

    def close(self) -> None:
        """Release the file; waits for a decoding in progress."""
        ...


def open_video(
    path: Path,
    *,
    track: int | None = None,
    sound: FileSound | None = None,
    hwaccel: Literal["off", "auto"] = "off",
) -> VideoReader:
    """Open a video file.

    track: which of several video tracks, counted from 0; None is the one that the file names as its default
    sound: takes the sound of the file while its pictures are read; None leaves it undecoded
    hwaccel: "auto" lets a device decode where one can

    Raises:
        SourceOpenError: it is not a readable video; the message says what it is instead.
    """
    return _reader()(path, track, sound, hwaccel)


@cache
def _reader() -> Callable[[Path, int | None, FileSound | None, Literal["off", "auto"]], VideoReader]:
    try:
        load_pyav()
        from streamaffect.sources.video.av_reader import AvReader
    except ImportError:
        log.warning(
            "PyAV is not installed, so OpenCV reads video files: without flips, pixel aspect, deinterlacing, "
            "start times and a choice of tracks, and no further than the first damage; pip install av"
        )
        from streamaffect.sources.video.opencv_reader import OpenCvReader

        return OpenCvReader
    return AvReader
