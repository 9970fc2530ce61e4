"""From frames to pictures as they are shown: upright, with square pixels, in BGR."""

from fractions import Fraction

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamaffect.sources.video.colour import BgrConverter
from streamaffect.sources.video.orientation import AS_STORED, Orientation, of_frame
from streamaffect.sources.video.planes import Mixer, PlanarPicture, is_planar
from streamaffect.types import ImageArray, Picture

WIDEST_PIXEL = 16  # a pixel that is so many times wider than high, or higher than wide, is a mistake of the file
SQUARE = Fraction(1)
# Up to here a picture is made at once. It costs little, and any other way to reduce it moves boxes by parts of a pixel:
# one grey level in a hundredth of what the detector sees may move a single estimate by 0.2.
SMALL_PX = 1280 * 720


class Canvas:
    """Shows the frames of one track. Size, format, aspect and orientation may change from frame to frame."""

    def __init__(self, track: VideoStream) -> None:
        self._converter = BgrConverter()
        self._mixer = Mixer()
        self._codec = track.codec_context
        # A container's own word counts more than the codec's, which may change on the way.
        stated = track.sample_aspect_ratio
        self._stated = None if stated == self._codec.sample_aspect_ratio else stated
        self._orientation = AS_STORED
        self._seen: tuple[int, int, int] | None = None

    def show(self, frame: VideoFrame) -> ImageArray | Picture:
        """(H, W, 3) uint8 BGR, made at once or, where it is large and that is possible, when it is asked for."""
        aspect, orientation = self._pixel_aspect(), self._orientation_of(frame)
        frame = self._converter.in_planes(frame)
        if frame.width * frame.height > SMALL_PX and aspect is SQUARE and is_planar(frame):
            return PlanarPicture(frame, orientation, self._converter.convert, self._mixer)
        image = self._converter.convert(frame)
        if aspect is not SQUARE:
            image = _with_square_pixels(image, aspect)
        return orientation.upright(image)

    def _orientation_of(self, frame: VideoFrame) -> Orientation:
        """Looked up only where something has changed: PyAV frees a frame late that was asked for its side data."""
        seen = (frame.width, frame.height, frame.rotation)
        if seen != self._seen:
            self._seen, self._orientation = seen, of_frame(frame)
        return self._orientation

    def _pixel_aspect(self) -> Fraction:
        """Width over height of a stored pixel."""
        aspect = self._stated or self._codec.sample_aspect_ratio
        if not aspect or aspect == SQUARE or not Fraction(1, WIDEST_PIXEL) <= aspect <= WIDEST_PIXEL:
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
