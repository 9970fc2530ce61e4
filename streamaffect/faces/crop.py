"""Cutting the square that the frame encoder sees. Streaming and training call the same two functions.

The crop's centre is the centre of the face box and its side is the longer side of the box in pixels × (1 + 2·margin).
With align = "roll" the picture turns about that centre until the eyes are level. Pixels outside the frame repeat its
border.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from streamaffect.faces.shrink import by_channel, halve
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import Box, Face, FloatArray, ImageArray, Picture, Point, Square, Window, pixels


def crop_face(picture: ImageArray | Picture, face: Face, spec: CropSpec) -> ImageArray:
    """A picture (H, W, 3) uint8 BGR → (S, S, 3) uint8 RGB of the face with its margin."""
    height, width = picture.shape[:2]
    centre, side_px = crop_square(face.box, width, height, spec.margin)
    roll = eye_roll(face.keypoints, width, height) if spec.align == "roll" else 0.0
    return _cut(picture, centre, side_px, roll, spec.size)


def crop_box(image: ImageArray, box: Box, spec: CropSpec) -> ImageArray:
    """image (H, W, 3) uint8 BGR → (S, S, 3) uint8 RGB of a box given by hand, upright.

    The margin is taken only as far as the picture has room on the tightest side, so that a picture that is already a
    face crop stays whole. A box that is not square is squared about its centre.
    """
    height, width = image.shape[:2]
    centre, side_px = _square_with_room(box, width, height, spec.margin)
    return _cut(image, centre, side_px, 0.0, spec.size)


def square_of_face(face: Face, shape: Sequence[int], spec: CropSpec) -> Square:
    """The square that `crop_face` cuts from a picture of this shape (height, width, …)."""
    height, width = shape[:2]
    centre, side_px = crop_square(face.box, width, height, spec.margin)
    roll = eye_roll(face.keypoints, width, height) if spec.align == "roll" else 0.0
    return _corners(centre, side_px, roll, width, height)


def square_of_box(box: Box, shape: Sequence[int], spec: CropSpec) -> Square:
    """The square that `crop_box` cuts from a picture of this shape (height, width, …)."""
    height, width = shape[:2]
    centre, side_px = _square_with_room(box, width, height, spec.margin)
    return _corners(centre, side_px, 0.0, width, height)


def crop_square(box: Box, width: int, height: int, margin: float) -> tuple[Point, float]:
    """Centre (x, y) and side, in pixels of a width × height frame, of the upright square around a box."""
    centre = ((box.x + box.w / 2) * width, (box.y + box.h / 2) * height)
    longer_px = max(box.w * width, box.h * height, 1.0)
    return centre, longer_px * (1 + 2 * margin)


def _square_with_room(box: Box, width: int, height: int, margin: float) -> tuple[Point, float]:
    centre, longer_px = crop_square(box, width, height, margin=0.0)
    half = longer_px / 2
    room = min(centre[0], centre[1], width - centre[0], height - centre[1]) - half
    return centre, longer_px + 2 * min(margin * longer_px, max(0.0, room))


def _corners(centre: Point, side_px: float, roll: float, width: int, height: int) -> Square:
    half = side_px / 2
    cos, sin = half * math.cos(roll), half * math.sin(roll)

    def corner(across: int, down: int) -> Point:
        x, y = centre[0] + cos * across - sin * down, centre[1] + sin * across + cos * down
        return x / width, y / height

    return Square(corner(-1, -1), corner(1, -1), corner(-1, 1))


def eye_roll(keypoints: FloatArray | None, width: int, height: int) -> float:
    """Angle in radians by which the line between the eyes falls to the right of the picture; 0 without keypoints."""
    if keypoints is None:
        return 0.0
    across, down = (keypoints[1] - keypoints[0]).tolist()
    return math.atan2(down * height, across * width)


def _cut(picture: ImageArray | Picture, centre: Point, side_px: float, roll: float, size: int) -> ImageArray:
    """The square about `centre`, turned back by `roll`, as (size, size, 3) uint8 RGB."""
    image, centre, side_px = _reduce(picture, centre, side_px, roll, size)
    # Pixel centres lie at half-integers of the continuous coordinates that boxes use, hence the two shifts by one half.
    step = side_px / size
    cos, sin = step * math.cos(roll), step * math.sin(roll)
    middle = (size - 1) / 2
    to_source = np.array(
        [
            [cos, -sin, centre[0] - 0.5 - (cos - sin) * middle],
            [sin, cos, centre[1] - 0.5 - (sin + cos) * middle],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(image, to_source, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(square, cv2.COLOR_BGR2RGB, dst=square), np.uint8)


def _reduce(
    picture: ImageArray | Picture, centre: Point, side_px: float, roll: float, size: int
) -> tuple[ImageArray, Point, float]:
    """The part of the picture that the square needs, averaged down until the square is < 2 · size pixels.

    Bilinear sampling reads four pixels, whatever the step: beyond a step of two it would skip some, and alias.
    The factor is 2 or 3 times a power of two, because halving is several times faster than any other factor.
    """
    ratio = int(side_px // size)
    if ratio < 2:
        return _near(picture, centre, side_px, roll)
    halvings = ratio.bit_length() - 2
    factor = (ratio >> halvings) << halvings
    left, top, right, bottom = window = _window(picture, centre, side_px, roll, factor)
    blocks = ((right - left) // factor, (bottom - top) // factor)
    if min(blocks) < 1:
        return _near(picture, centre, side_px, roll)

    def averaged(image: ImageArray) -> ImageArray:
        part = image[top:bottom, left:right]
        for _ in range(halvings):
            part = halve(part)
        return np.asarray(cv2.resize(part, blocks, interpolation=cv2.INTER_AREA), np.uint8)

    small = by_channel(picture, averaged, lambda unmade: unmade.part(window, blocks))
    return small, ((centre[0] - left) / factor, (centre[1] - top) / factor), side_px / factor


def _near(picture: ImageArray | Picture, centre: Point, side_px: float, roll: float) -> tuple[ImageArray, Point, float]:
    """The pixels around the square as they are; all of them where they are there."""
    if isinstance(picture, np.ndarray) or picture.channels is not None:
        return pixels(picture), centre, side_px
    left, top, right, bottom = window = _window(picture, centre, side_px, roll, 1)
    return picture.part(window, (right - left, bottom - top)), (centre[0] - left, centre[1] - top), side_px


def _window(picture: ImageArray | Picture, centre: Point, side_px: float, roll: float, factor: int) -> Window:
    """What the square needs of the picture, trimmed to multiples of `factor` pixels.

    In a picture that is not made yet it begins where a pixel of its halvings begins, which may be there, and one of its
    colour, which may be of half the size.
    """
    height, width = picture.shape[:2]
    reach = side_px / 2 * (abs(math.cos(roll)) + abs(math.sin(roll))) + 2 * factor
    is_made = isinstance(picture, np.ndarray) or picture.channels is not None
    grid = 1 if is_made else max(2, factor & -factor)  # the power of two in it
    left, right = _whole_blocks(centre[0] - reach, centre[0] + reach, width, factor, grid)
    top, bottom = _whole_blocks(centre[1] - reach, centre[1] + reach, height, factor, grid)
    return left, top, right, bottom


def _whole_blocks(low: float, high: float, length: int, factor: int, grid: int) -> tuple[int, int]:
    """The range [low, high) within [0, length), from a multiple of `grid` on and a multiple of `factor` pixels long."""
    start = min(max(0, math.floor(low)), length - 1) // grid * grid
    stop = max(min(length, math.ceil(high)), start + 1)
    return start, start + (stop - start) // factor * factor
