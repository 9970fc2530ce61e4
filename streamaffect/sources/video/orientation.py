"""How a picture has to be turned and mirrored to stand upright, as the display matrix of a container says.

The matrix maps the place (x, y) of a stored pixel to the place at which it is shown:
x' = a·x + c·y and y' = b·x + d·y. Quarter turns and mirrors are all that cameras write; the nearest of them is taken.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace

from streamaffect.types import ImageArray, Window

MATRIX = "DISPLAYMATRIX"
STAMP_PX = 16


@dataclass(frozen=True, slots=True)
class Orientation:
    """First rows and columns are exchanged, then the picture is mirrored left to right, then top to bottom."""

    transposed: bool = False
    mirrored: bool = False
    upended: bool = False

    def upright(self, image: ImageArray) -> ImageArray:
        """The picture (H, W, …) as it is to be shown."""
        if self.transposed:
            image = np.asarray(cv2.transpose(image), np.uint8)
        if self.mirrored or self.upended:
            code = -1 if self.mirrored and self.upended else int(self.mirrored)
            image = np.asarray(cv2.flip(image, code), np.uint8)
        return image

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the upright picture from those of the stored one, or the other way round."""
        return (height, width) if self.transposed else (width, height)

    def stored_window(self, window: Window, width: int, height: int) -> Window:
        """Where a window of the upright picture lies in the stored one of width × height pixels."""
        left, top, right, bottom = window
        shown_width, shown_height = self.size(width, height)
        if self.mirrored:
            left, right = shown_width - right, shown_width - left
        if self.upended:
            top, bottom = shown_height - bottom, shown_height - top
        return (top, left, bottom, right) if self.transposed else (left, top, right, bottom)


AS_STORED = Orientation()


def of_matrix(matrix: bytes) -> Orientation:
    """Of the nine 32-bit numbers [a b u; c d v; x y w] of a display matrix."""
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(mirrored=a < 0, upended=d < 0)
    return Orientation(transposed=True, mirrored=c < 0, upended=b < 0)


def of_frame(frame: VideoFrame) -> Orientation:
    """Of the matrix that the decoder has put beside a frame; as stored where it has none."""
    try:
        beside = cast(Sequence[SideData], _stamp(frame).side_data)
        for number in range(len(beside)):
            data = beside[number]
            if data.type.name == MATRIX:
                return of_matrix(bytes(data))
    except ValueError:  # side data of a kind that PyAV has no name for hides all others
        return _of_rotation(frame.rotation)
    return AS_STORED


def _stamp(frame: VideoFrame) -> VideoFrame:
    """A tiny copy with the same side data: whoever was asked for it waits for the collector, with all its pixels."""
    return frame.reformat(STAMP_PX, STAMP_PX, "gray", src_colorspace=Colorspace.ITU709, threads=1)


def _of_rotation(degrees: int) -> Orientation:
    """Of FFmpeg's angle, by which the stored picture has to be turned counter-clockwise."""
    match round(degrees / 90) % 4:
        case 1:
            return Orientation(transposed=True, upended=True)
        case 2:
            return Orientation(mirrored=True, upended=True)
        case 3:
            return Orientation(transposed=True, mirrored=True)
    return AS_STORED
