"""Small video files for tests: frame number i is a plain picture whose brightness says i."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from streamaffect.types import ImageArray

BRIGHTNESS_STEP = 8
# A quarter turn clockwise as the 3x3 matrix of an MP4 track, in 16.16 (last column 2.30) fixed point.
QUARTER_TURN = bytes.fromhex("00000000 00010000 00000000 ffff0000 00000000 00000000 00000000 00000000 40000000")


def picture(number: int, *, width: int = 64, height: int = 48) -> ImageArray:
    """Frame `number`, (height, width, 3) uint8 BGR."""
    return np.full((height, width, 3), number * BRIGHTNESS_STEP % 256, np.uint8)


def number_of(image: ImageArray) -> int:
    """Which frame a decoded picture is."""
    return round(float(image.mean()) / BRIGHTNESS_STEP)


def write_video(path: Path, *, frames: int, fps: float = 25.0, codec: str = "mp4v", width: int = 64) -> Path:
    """Write a video of `frames` frames; at most 32 can be told apart."""
    return write_frames(path, [picture(number, width=width) for number in range(frames)], fps=fps, codec=codec)


def write_frames(path: Path, frames: Sequence[ImageArray], *, fps: float = 25.0, codec: str = "mp4v") -> Path:
    """Write a video of pictures of one size, (H, W, 3) uint8 BGR."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def turn_sideways(path: Path) -> None:
    """Ask players of an MP4 to turn its picture by 90 degrees, as a phone held upright does."""
    data = path.read_bytes()
    matrix = data.index(b"tkhd") + 44
    path.write_bytes(data[:matrix] + QUARTER_TURN + data[matrix + len(QUARTER_TURN) :])
