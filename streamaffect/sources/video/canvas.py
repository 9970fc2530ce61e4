"""From frames to pictures as they are shown: upright, with square pixels, in BGR."""

from fractions import Fraction

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamaffect.sources.video.colour import BgrConverter
from streamaffect.sources.video.orientation import AS_STORED, Orientation, of_frame
from streamaffect.types import ImageArray

WIDEST_PIXEL = 16  # a pixel that is so many times wider than high, or higher than wide, is a mistake of the file
SQUARE = Fraction(1)


class Canvas:
    """Shows the frames of one track. Size, format, aspect and orientation may change from frame to frame."""

    def __init__(self, track: VideoStream) -> None:
        self._converter = BgrConverter()
        self._codec = track.codec_context
        # A container's own word counts more than the codec's, which may change on the way.
        stated = track.sample_aspect_ratio
        self._stated = None if stated == self._codec.sample_aspect_ratio else stated
        self._orientation = AS_STORED
        self._seen: tuple[int, int, int] | None = None

    def show(self, frame: VideoFrame) -> ImageArray:
        """(H, W, 3) uint8 BGR."""
        image = _with_square_pixels(self._converter.convert(frame), self._pixel_aspect())
        return self._orientation_of(frame).upright(image)

    def _orientation_of(self, frame: VideoFrame) -> Orientation:
        """Looked up only where something has changed: PyAV frees a frame late that was asked for its side data."""
        seen = (frame.width, frame.height, frame.rotation)
        if seen != self._seen:
            self._seen, self._orientation = seen, of_frame(frame)
        return self._orientation

    def _pixel_aspect(self) -> Fraction:
        """Width over height of a stored pixel."""
        aspect = self._stated or self._codec.sample_aspect_ratio
        if not aspect or not Fraction(1, WIDEST_PIXEL) <= aspect <= WIDEST_PIXEL:
            return SQUARE
        return aspect


def _with_square_pixels(image: ImageArray, aspect: Fraction) -> ImageArray:
    """The picture made wider or narrower, as players do."""
    height, width = image.shape[:2]
    shown = max(1, round(width * aspect))
    if shown == width:
        return image
    how = cv2.INTER_AREA if shown < width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (shown, height), interpolation=how), np.uint8)
