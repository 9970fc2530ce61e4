"""Searching a high-resolution frame in tiles, for faces that are too small in the whole of it.

BlazeFace sees 128 × 128 pixels, whatever it is given: a tile of half the width shows a face at nearly twice the size.
Each tile costs one more detection.
"""

import math

import numpy as np

from streamaffect.faces.boxes import suppress
from streamaffect.faces.detectors.detector import FaceDetector, largest
from streamaffect.types import Box, Face, ImageArray, Picture, Window, pixels

OVERLAP = 0.25  # of a tile's side: a face up to this size lies whole in one tile at least
MAX_COVER = 0.5  # tiles cut faces, and the part that one tile sees lies within what another sees whole


class TiledDetector:
    """A detector that looks at the whole frame and then at square tiles of it.

    tiles:     how many tiles lie along the frame's longer side
    max_faces: at most so many faces are returned, the largest
    """

    def __init__(self, detector: FaceDetector, *, tiles: int, max_faces: int = 8) -> None:
        if tiles < 2:
            raise ValueError(f"tiles must be 2 or more, not {tiles}: one tile is the frame itself")
        self._detector = detector
        self._tiles = tiles
        self._max_faces = max_faces

    def detect(self, image: ImageArray | Picture, time_s: float) -> list[Face]:
        """A picture (H, W, 3) uint8 BGR → its faces, each once, the largest first."""
        image = pixels(image)  # each of them is looked at several times
        height, width = image.shape[:2]
        faces = self._detector.detect(image, time_s)
        for window in tile_windows(width, height, self._tiles):
            left, top, right, bottom = window
            found = self._detector.detect(image[top:bottom, left:right], time_s)
            faces += [_to_frame(face, window, width, height) for face in found]
        return largest(suppress(faces, MAX_COVER), self._max_faces)

    def close(self) -> None:
        """Release the detector. Calling it again does nothing."""
        self._detector.close()


def tile_windows(width: int, height: int, tiles: int) -> list[Window]:
    """Overlapping squares (left, top, right, bottom) in pixels that cover the frame, `tiles` along its longer side."""
    side = min(math.ceil(max(width, height) / (tiles - (tiles - 1) * OVERLAP)), max(width, height))
    columns, rows = _starts(width, side), _starts(height, side)
    return [(x, y, min(x + side, width), min(y + side, height)) for y in rows for x in columns]


def _starts(length: int, side: int) -> list[int]:
    """Evenly spaced starts of intervals of that side that cover [0, length] and overlap by `OVERLAP` at least."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / (side * (1 - OVERLAP)) - 1e-6) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def _to_frame(face: Face, window: Window, width: int, height: int) -> Face:
    """A face in shares of a window, in shares of the frame instead."""
    left, top, right, bottom = window
    across, down = (right - left) / width, (bottom - top) / height
    box = face.box
    moved = Box(left / width + box.x * across, top / height + box.y * down, box.w * across, box.h * down)
    if face.keypoints is None:
        return Face(moved, face.score)
    offset = np.array((left / width, top / height), np.float32)
    return Face(moved, face.score, face.keypoints * np.array((across, down), np.float32) + offset)
