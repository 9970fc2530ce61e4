"""Pictures in planes: a large one in the decoder's, brightness and colour, a small one in those of its three colours.

A face detector wants a small picture, and the crop of a face a part of it. Reduced in the planes and converted then,
each pixel is touched once at a byte; making a whole 1080p picture in BGR and reducing that takes a third of the time
that decoding takes. Of a small picture all pixels are made, to the last bit those of a whole conversion.
"""

from collections.abc import Callable, Sequence
from functools import cache
from threading import Lock

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc

from streamaffect.faces.shrink import halve
from streamaffect.sources.video.orientation import AS_STORED, Orientation
from streamaffect.types import Channels, ImageArray, Window

FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"})
# Weights of red and blue in brightness, by FFmpeg's number of the colour matrix; 2 is "not said".
MATRICES = {1: (0.2126, 0.0722), 2: (0.299, 0.114), 5: (0.299, 0.114), 6: (0.299, 0.114)}
# Grey levels of blue, green and red that FFmpeg loses by rounding down where colour is of half the size, in full and in
# limited range.
ROUNDED_DOWN = {True: (0.45, 1.0, 0.55), False: (1.2, 1.4, 1.0)}

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


class PlanarPicture:
    """A `Picture` of an 8-bit frame in planes of YUV.

    convert: makes the whole picture, as stored
    mixer:   shared by the pictures of a track
    """

    def __init__(
        self,
        frame: VideoFrame,
        orientation: Orientation,
        convert: Callable[[VideoFrame], ImageArray],
        mixer: "Mixer",
    ) -> None:
        self._frame = frame
        self._orientation = orientation
        self._convert = convert
        self._mixer = mixer
        self._whole: ImageArray | None = None
        self._overview: ImageArray | None = None
        self._planes: list[_Plane] | None = None
        self._matrix: Matrix

    @property
    def channels(self) -> None:
        """They are not made."""
        return None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and 3, upright."""
        width, height = self._orientation.size(self._frame.width, self._frame.height)
        return height, width, 3

    def whole(self) -> ImageArray:
        """All pixels, (H, W, 3) uint8 BGR."""
        if self._whole is None:
            self._whole = self._orientation.upright(self._convert(self._frame))
        return self._whole

    def part(self, window: Window, size: tuple[int, int]) -> ImageArray:
        """The pixels in a window, averaged down to `size` (width, height): (height, width, 3) uint8 BGR."""
        height, width = self.shape[:2]
        if window != (0, 0, width, height):
            return self._mixed(window, size)
        overview = self._overview
        if overview is None or overview.shape[0] < size[1] or overview.shape[1] < size[0]:
            overview = self._overview = self._mixed(window, size)
        return _reduced(overview, size)

    def _mixed(self, window: Window, size: tuple[int, int]) -> ImageArray:
        frame, orientation = self._frame, self._orientation
        if self._planes is None:
            self._planes = [_Plane(plane, frame.width, frame.height) for plane in frame.planes]
            self._matrix = _matrix(frame.colorspace, frame.color_range == ColorRange.JPEG, frame.format.name)
        left, top, right, bottom = orientation.stored_window(window, frame.width, frame.height)
        width, height = orientation.size(*size)
        # Colour of half the size begins at even pixels.
        odd_x, odd_y = (left % 2, top % 2) if (width, height) == (right - left, bottom - top) else (0, 0)
        stored, stored_size = (left - odd_x, top - odd_y, right, bottom), (width + odd_x, height + odd_y)
        planes = [plane.part(stored, stored_size) for plane in self._planes]
        mixed = self._mixer.bgr(planes, self._matrix)
        return orientation.upright(mixed[odd_y:, odd_x:])


class SplitPicture:
    """A `Picture` whose pixels are there, each colour in a plane of its own.

    stored: the channels as they are stored
    """

    def __init__(self, stored: Channels, orientation: Orientation) -> None:
        self.channels: Channels = stored
        if orientation is not AS_STORED:
            blue, green, red = stored
            self.channels = orientation.upright(blue), orientation.upright(green), orientation.upright(red)
        self.shape: tuple[int, int, int] = (*self.channels[0].shape, 3)
        self._whole: ImageArray | None = None

    def whole(self) -> ImageArray:
        """All pixels, (H, W, 3) uint8 BGR."""
        if self._whole is None:
            self._whole = np.asarray(cv2.merge(self.channels), np.uint8)
        return self._whole

    def part(self, window: Window, size: tuple[int, int]) -> ImageArray:
        """The pixels in a window, averaged down to `size` (width, height): (height, width, 3) uint8 BGR."""
        left, top, right, bottom = window
        parts = [_reduced(channel[top:bottom, left:right], size) for channel in self.channels]
        return np.asarray(cv2.merge(parts), np.uint8)


class Mixer:
    """Turns planes into BGR. What it needs in between is kept, since fresh memory costs as much as the work."""

    def __init__(self) -> None:
        self._between = np.empty(0, np.uint8)
        self._lock = Lock()

    def bgr(self, planes: Sequence[ImageArray], matrix: Matrix) -> ImageArray:
        """Planes (H, W) of Y, U and V → (H, W, 3)."""
        height, width = planes[0].shape
        size = height * width * 3
        with self._lock:
            if self._between.size < size:
                self._between = np.empty(size, np.uint8)
            between = self._between[:size].reshape(height, width, 3)
            return np.asarray(cv2.transform(cv2.merge(planes, dst=between), matrix), np.uint8)


class _Plane:
    """One plane of a frame, and its halvings, which are kept: the detector's picture is a step towards the crop."""

    def __init__(self, plane: VideoPlane, width: int, height: int) -> None:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        self._levels: list[ImageArray] = [rows[: plane.height, : plane.width]]
        self._halved_across = plane.width != width
        self._halved_down = plane.height != height

    def part(self, window: Window, size: tuple[int, int]) -> ImageArray:
        """What a window of the whole picture shows, averaged down to `size`: (height, width)."""
        left, top, right, bottom = window
        if self._halved_across:
            left, right = left // 2, (right + 1) // 2
        if self._halved_down:
            top, bottom = top // 2, (bottom + 1) // 2
        level = self._level_for((left, top, right, bottom), size)
        pixels = self._levels[level]
        part = pixels[top >> level : bottom >> level, left >> level : right >> level]
        while part.shape == pixels.shape and _is_even(part) and _is_halved_first(part, size):
            part = pixels = halve(part)
            self._levels.append(part)
        return _reduced(part, size)

    def _level_for(self, window: Window, size: tuple[int, int]) -> int:
        """The smallest picture that is there, has enough pixels, and in which the window begins and ends at a pixel."""
        if len(self._levels) == 1:
            return 0
        enough = min((window[2] - window[0]) // max(1, size[0]), (window[3] - window[1]) // max(1, size[1]))
        level = min(len(self._levels), max(1, enough).bit_length()) - 1
        while any(edge % (1 << level) for edge in window):
            level -= 1
        return level


def is_planar(frame: VideoFrame) -> bool:
    """True where `PlanarPicture` shows the frame as a whole conversion would."""
    return (
        frame.format.name in FORMATS
        and not (frame.height % 2 and "420" in frame.format.name)  # FFmpeg blurs the colour of such pictures
        and frame.colorspace in MATRICES
        and frame.color_trc not in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
        and frame.color_primaries != ColorPrimaries.BT2020
        and all(plane.line_size > 0 for plane in frame.planes)
    )


def _is_even(pixels: ImageArray) -> bool:
    return not (pixels.shape[0] % 2 or pixels.shape[1] % 2)


def _is_halved_first(pixels: ImageArray, size: tuple[int, int]) -> bool:
    """True from twice the size on, but not at an odd multiple of it, of which OpenCV takes means as they are."""
    height, width = pixels.shape[:2]
    if width % size[0] == 0 == height % size[1]:
        return bool(width % (2 * size[0]) == 0 == height % (2 * size[1]))
    return bool(width >= 2 * size[0] and height >= 2 * size[1])


def _reduced(pixels: ImageArray, size: tuple[int, int]) -> ImageArray:
    """Averaged down to `size` (width, height); of colour that has fewer pixels each is repeated, as FFmpeg does it."""
    while _is_halved_first(pixels, size):
        height, width = (length // 2 for length in pixels.shape[:2])
        is_last = (width, height) == size  # on the way, a row or column too many would make it five times as slow
        pixels = halve(pixels if is_last else pixels[: 2 * height, : 2 * width])
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    if width % size[0] == 0 == height % size[1] or width >= 2 * size[0] or height >= 2 * size[1]:
        how = cv2.INTER_AREA
    else:
        how = cv2.INTER_LINEAR if width > size[0] else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


@cache
def _matrix(colorspace: int, full_range: bool, kind: str) -> Matrix:  # noqa: FBT001
    """(3, 4): from (Y, U, V, 1) in bytes, of a format of FFmpeg's, to blue, green and red."""
    full_range = full_range or kind.startswith("yuvj")
    red, blue = MATRICES[colorspace]
    green = 1 - red - blue
    black, brightness, colour = (0, 1.0, 1.0) if full_range else (16, 255 / 219, 255 / 224)
    from_u, from_v = 2 * (1 - blue) * colour, 2 * (1 - red) * colour
    weights = np.array(
        (
            (brightness, from_u, 0.0),
            (brightness, -from_u * blue / green, -from_v * red / green),
            (brightness, 0.0, from_v),
        )
    )
    lost = (0.0, 0.0, 0.0) if kind.endswith("444p") else ROUNDED_DOWN[full_range]
    return np.column_stack((weights, -weights @ (black, 128, 128) - lost))
