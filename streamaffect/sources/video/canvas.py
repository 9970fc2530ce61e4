"""From frames to pictures as they are shown: upright, with square pixels, in BGR."""

from fractions import Fraction
from typing import Literal

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamaffect.sources.video.colour import BgrConverter, is_split_exactly
from streamaffect.sources.video.orientation import AS_STORED, of_frame
from streamaffect.sources.video.planes import Mixer, PlanarPicture, SplitPicture, is_planar
from streamaffect.types import ImageArray, Picture

WIDEST_PIXEL = 16  # a pixel that is so many times wider than high, or higher than wide, is a mistake of the file
SQUARE = Fraction(1)
# Up to here a picture is made at once. It costs little, and any other way to reduce it moves boxes by parts of a pixel:
# one grey level in a hundredth of what the detector sees may move a single estimate by 0.2.
SMALL_PX = 1280 * 720

Kind = tuple[int, int, int, str, int, int, int, int]
Way = Literal["whole", "split", "planes"]


class Canvas:
    """Shows the frames of one track. Size, format, aspect and orientation may change from frame to frame."""

    def __init__(self, track: VideoStream) -> None:
        self._converter = BgrConverter()
        self._mixer = Mixer()
        self._codec = track.codec_context
        # A container's own word counts more than the codec's, which may change on the way.
        stated = track.sample_aspect_ratio
        self._stated = None if stated == self._codec.sample_aspect_ratio else stated
        self._kind: Kind | None = None
        self._orientation = AS_STORED
        self._way: Way = "whole"

    def show(self, frame: VideoFrame) -> ImageArray | Picture:
        """(H, W, 3) uint8 BGR, made at once or, where it is large and that is possible, when it is asked for."""
        kind = _kind(frame)
        if is_new := kind != self._kind:
            self._kind, self._orientation = kind, of_frame(frame)
        frame = self._converter.in_planes(frame)
        if is_new:
            self._way = _way(frame)
        aspect, upright = self._pixel_aspect(), self._orientation.upright
        if aspect is not SQUARE:
            return upright(_with_square_pixels(self._converter.convert(frame), aspect))
        if self._way == "split":
            return SplitPicture(self._converter.split(frame), self._orientation)
        if self._way == "planes" and is_planar(frame):
            return PlanarPicture(frame, self._orientation, self._converter.convert, self._mixer)
        return upright(self._converter.convert(frame))

    def _pixel_aspect(self) -> Fraction:
        """Width over height of a stored pixel."""
        aspect = self._stated or self._codec.sample_aspect_ratio
        if not aspect or aspect.numerator == aspect.denominator:
            return SQUARE
        return aspect if Fraction(1, WIDEST_PIXEL) <= aspect <= WIDEST_PIXEL else SQUARE


def _kind(frame: VideoFrame) -> Kind:
    """What may change from frame to frame."""
    return (
        frame.width,
        frame.height,
        frame.rotation,
        frame.format.name,
        frame.colorspace,
        frame.color_range,
        frame.color_trc,
        frame.color_primaries,
    )


def _way(frame: VideoFrame) -> Way:
    """How frames of this kind are shown, where their pixels are square."""
    if not is_planar(frame):
        return "whole"
    if frame.width * frame.height > SMALL_PX:
        return "planes"
    return "split" if is_split_exactly(frame) else "whole"


def _with_square_pixels(image: ImageArray, aspect: Fraction) -> ImageArray:
    """The picture made wider or narrower, as players do."""
    height, width = image.shape[:2]
    shown = max(1, round(width * aspect))
    if shown == width:
        return image
    how = cv2.INTER_AREA if shown < width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (shown, height), interpolation=how), np.uint8)
