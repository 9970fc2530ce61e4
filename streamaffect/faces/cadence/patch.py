"""A face followed by what it looked like when it was detected.

The picture of the face, reduced to 32 pixels, is looked for around where the face was last (normalised correlation, the
maximum refined by a parabola). It is always the detected picture that is looked for, so that no error adds up. What has
turned, grown, been covered or replaced correlates worse: the score says how far the answer can be trusted.
"""

from dataclasses import replace

import cv2
import numpy as np

from streamaffect.faces.crop import crop_face
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import Box, Face, FloatArray, ImageArray, Picture

FACE_PX, REACH_PX = 32, 8  # a face moves at most a quarter of its size from one frame to the next
AROUND = CropSpec(size=FACE_PX + 2 * REACH_PX, margin=REACH_PX / FACE_PX, align="none")


class Patch:
    """One detected face of `picture`, (H, W, 3) uint8 BGR, and where it is since.

    detected: as the detector has found it; face: where it was found last
    """

    def __init__(self, picture: ImageArray | Picture, face: Face) -> None:
        self.detected = self.face = face
        self._looks = _around(picture, face)[REACH_PX:-REACH_PX, REACH_PX:-REACH_PX]

    def follow(self, picture: ImageArray | Picture) -> float:
        """Find the face in the next picture; how much it looks as it did when it was detected, up to 1."""
        scores: FloatArray = np.asarray(
            cv2.matchTemplate(_around(picture, self.face), self._looks, cv2.TM_CCOEFF_NORMED), np.float32
        )
        _, score, _, (column, row) = cv2.minMaxLoc(scores)
        across = column - REACH_PX + _peak(scores[row, :], column)
        down = row - REACH_PX + _peak(scores[:, column], row)
        self.face = _moved(self.face, across, down, picture.shape)
        return float(score)

    @property
    def way(self) -> float:
        """How far the face is from where it was detected, in units of its size."""
        here, there = self.face.box, self.detected.box
        return float(np.hypot((here.x - there.x) / there.w, (here.y - there.y) / there.h))


def _around(picture: ImageArray | Picture, face: Face) -> ImageArray:
    """(48, 48) uint8: the face and what is around it, in grey."""
    return np.asarray(cv2.cvtColor(crop_face(picture, face, AROUND), cv2.COLOR_RGB2GRAY), np.uint8)


def _peak(scores: FloatArray, at: int) -> float:
    """Where the parabola through the largest score and its neighbours is highest, from `at`; 0 at the edge."""
    if not 0 < at < len(scores) - 1:
        return 0.0
    before, here, after = (float(score) for score in scores[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


def _moved(face: Face, across: float, down: float, shape: tuple[int, ...]) -> Face:
    """The face, moved by so many of the patch's pixels."""
    height, width = shape[:2]
    step_px = max(face.box.w * width, face.box.h * height, 1.0) / FACE_PX
    dx, dy = across * step_px / width, down * step_px / height
    x, y, w, h = face.box
    points = None if face.keypoints is None else face.keypoints + np.array((dx, dy), np.float32)
    return replace(face, box=Box(x + dx, y + dy, w, h), keypoints=points)
