"""What the camera sees, for the page alone and where somebody has asked for it: the newest picture of each stream.

A picture is made into a JPEG when a browser asks for it, in a thread of the server, and only once; without a browser
that looks nothing is computed, and the pipeline never waits.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from streamaffect.types import Box, ImageArray, Sightings

Kind = Literal["plain", "blurred"]

LONGEST_PX = 960
QUALITY = 75
AROUND = 0.35  # of a face's side, on each of its sides: boxes end at the forehead and lag behind
REMEMBERED_S = 1.0
BLURRED_PX = 48  # what is left of a blurred picture, in pixels along its longer side
GRAINS = 5  # and of a face in it


@dataclass(slots=True)
class _Newest:
    sightings: Sightings
    jpeg: bytes | None = None


class Pictures:
    """The newest picture of each stream.

    kind: as it is; or blurred as a whole, so that a face that nobody has found yet is not shown either, and further
          where a face is, or was within the last second
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._lock = threading.Lock()
        self._newest: dict[str, _Newest] = {}
        self._faces: dict[str, list[tuple[float, Box]]] = {}

    def look(self, stream: str, sightings: Sightings) -> None:
        """Take a picture whose faces have been looked for. Its pixels are not copied, and never changed."""
        now_s = sightings.frame.time_s
        with self._lock:
            self._newest[stream] = _Newest(sightings)
            before = [one for one in self._faces.get(stream, []) if 0 <= now_s - one[0] < REMEMBERED_S]
            self._faces[stream] = before + [(now_s, face.face.box) for face in sightings.faces]

    def jpeg(self, stream: str) -> bytes | None:
        """The newest picture; None where there is none."""
        with self._lock:
            newest = self._newest.get(stream)
            places = [box for _, box in self._faces.get(stream, [])]
        if newest is None:
            return None
        if newest.jpeg is None:
            image = _reduced(newest.sightings.frame.image)
            newest.jpeg = _encoded(image if self.kind == "plain" else blurred(image, places))
        return newest.jpeg


def blurred(image: ImageArray, faces: Sequence[Box]) -> ImageArray:
    """A picture (H, W, 3) in which people are hardly recognised, and movements are."""
    height, width = image.shape[:2]
    share = BLURRED_PX / max(height, width)
    coarse = cv2.resize(
        image, (max(1, round(share * width)), max(1, round(share * height))), interpolation=cv2.INTER_AREA
    )
    soft = np.array(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    for box in faces:
        _hide(soft, box)
    return soft


def _reduced(image: ImageArray) -> ImageArray:
    height, width = image.shape[:2]
    share = LONGEST_PX / max(height, width)
    if share >= 1.0:
        return image
    return np.asarray(cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _encoded(image: ImageArray) -> bytes:
    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return jpeg.tobytes() if done else b""


def _hide(image: ImageArray, box: Box) -> None:
    """Take from a face what makes it somebody's: a few grains of colour stay. Changes the image."""
    height, width = image.shape[:2]
    left, right = (box.x - AROUND * box.w) * width, (box.x + (1 + AROUND) * box.w) * width
    top, bottom = (box.y - 2 * AROUND * box.h) * height, (box.y + (1 + AROUND) * box.h) * height
    rows = slice(max(0, int(top)), max(0, int(bottom) + 1))
    columns = slice(max(0, int(left)), max(0, int(right) + 1))
    part = image[rows, columns]
    if part.size:
        grains = cv2.resize(part, (GRAINS, GRAINS), interpolation=cv2.INTER_AREA)
        image[rows, columns] = cv2.resize(grains, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
