"""Faces that lie on their side or stand on their head: found by a second look, and described as they really are.

BlazeFace also finds such faces, but takes the mouth for the eyes beyond about 100 degrees, with a confidence of 0.5 to
0.8 where an upright face has 0.9. Turned back by what was found, and by half a turn more, the region of the face is
looked at again: one of the two looks shows an upright face, and says so with its score. Where neither does, the face is
doubtful, and nothing is estimated from it. `benchmarks/faces.py` measures how often that is right (docs/accuracy.md).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from streamaffect.faces.crop import crop_face, crop_square, eye_roll
from streamaffect.faces.detectors.detector import FaceDetector
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import Box, Face, FloatArray, ImageArray, Picture

SURE = 0.85  # a face with this score is what it seems to be, unless it is tilted
TILTED, ROLLED = math.radians(30), math.radians(60)
MISREAD = math.radians(20)  # a second look finds the eyes as much as this elsewhere
AGREED = math.radians(60)
CLEARLY, BETTER_BY = 0.65, 0.05  # what the better of two looks must score, and by how much better, to be believed
LIKELY = 0.6  # and where the face was turned a moment ago, so that one of the two must be right
PLAUSIBLE = 0.75  # a face with this score that is not tilted stays as it was found, if no look shows more
HERE, HERE_BY = 0.55, 0.1  # or where the look at it as it was found shows this much, and the other so much less
AGAIN_S = 1.0  # a face that was found to be upright is not looked at again for so long
LESS_SURE = 0.1  # or is, as soon as its score has fallen by so much
CLOSE_UP = CropSpec(size=160, margin=0.75, align="roll")
OFF_CENTRE = 0.2  # in a close-up, what is farther from its middle is another face: half a face
EYES_APART = 0.2  # of the box


@dataclass(frozen=True, slots=True)
class _Known:
    """What a second look has shown of a face at `time_s`: that it is upright, or turned."""

    face: Face
    time_s: float
    turned: bool


def is_left_lying(face: Face, image: ImageArray | Picture, spec: CropSpec) -> bool:
    """True where the crop of the face lies on its side or stands on its head, or may do so: no model has seen such."""
    return face.doubtful or (spec.align == "none" and _is_rolled(face, image, ROLLED))


class UprightDetector:
    """A detector that describes each face as if somebody had turned the picture until it is upright.

    closer: looks at single faces; the same detector, or the one inside of it
    """

    def __init__(self, detector: FaceDetector, closer: FaceDetector | None = None) -> None:
        self._detector = detector
        self._closer = closer or detector
        self._known: list[_Known] = []

    def detect(self, image: ImageArray | Picture, time_s: float) -> list[Face]:
        """A picture (H, W, 3) uint8 BGR → its faces, the largest first, those that are turned with their true eyes."""
        faces = self._detector.detect(image, time_s)
        if not self._known and all(_seems_upright(face, image) for face in faces):
            return faces
        known: list[_Known] = []
        upright = [self._read(image, face, time_s, known) for face in faces]
        self._known = known
        return upright

    def close(self) -> None:
        """Release the model. Calling it again does nothing."""
        self._detector.close()

    def _read(self, image: ImageArray | Picture, face: Face, time_s: float, known: list[_Known]) -> Face:
        """The face as it is, and note what is known of it now."""
        before = self._recall(face.box, time_s)
        must_be_turned = _is_rolled(face, image, ROLLED) or (before is not None and before.turned)
        if not must_be_turned:
            if _seems_upright(face, image):
                return face
            if before is not None and _has_stayed(before.face, face, image):
                known.append(replace(before, face=replace(before.face, box=face.box)))
                return face
        looks = [self._look(image, one, time_s) for one in (face, _half_turned(face))]
        was_turned = before is not None and before.turned
        best = _believed(
            face, looks, image, least=LIKELY if was_turned else CLEARLY, by=0.0 if was_turned else BETTER_BY
        )
        if best.doubtful:
            return best
        is_turned = best is not face
        if is_turned and _between(_roll(best, image), _roll(face, image)) > MISREAD:
            best = self._look(image, best, time_s) or best  # from where it is nearly upright
        known.append(_Known(face, time_s, turned=is_turned))
        return best

    def _recall(self, box: Box, time_s: float) -> _Known | None:
        """What a look less than a second ago has shown of the face that is here; stills know of nothing."""
        for known in self._known:
            if 0 < time_s - known.time_s < AGAIN_S and _is_near(known.face.box, box):
                return known
        return None

    def _look(self, image: ImageArray | Picture, face: Face, time_s: float) -> Face | None:
        """The face as it is found in a close-up that is turned until its eyes are level; None where none is found."""
        close_up = cv2.cvtColor(crop_face(image, face, CLOSE_UP), cv2.COLOR_RGB2BGR)
        found = list(_in_the_middle(self._closer.detect(np.asarray(close_up, np.uint8), time_s)))
        return _turned_back(max(found, key=lambda one: one.score), face, image) if found else None


def _has_stayed(before: Face, face: Face, image: ImageArray | Picture) -> bool:
    """Whether a face that was upright looks as it did then."""
    return face.score > before.score - LESS_SURE and _between(_roll(face, image), _roll(before, image)) < MISREAD


def _believed(
    face: Face, looks: Sequence[Face | None], image: ImageArray | Picture, *, least: float, by: float
) -> Face:
    """The look that is right, or the face as it was found first where that is; else the face, marked as doubtful.

    looks: as the face was found, and with half a turn more
    least, by: what the better one must score, and by how much more than the other
    """
    as_found, other_way = looks
    here, there = (0.0 if look is None else look.score for look in looks)
    is_misread = as_found is not None and _between(_roll(as_found, image), _roll(face, image)) > MISREAD
    if max(here, there) >= least and (abs(here - there) >= by or _agree(looks, image)):
        if other_way is not None and there > here:
            return other_way
        return as_found if as_found is not None and (is_misread or _is_rolled(face, image, ROLLED)) else face
    is_level = not is_misread and not _is_rolled(face, image, TILTED)
    if is_level and (face.score >= PLAUSIBLE or (here >= HERE and here >= there + HERE_BY)):
        return face
    return replace(face, doubtful=True)


def _agree(looks: Sequence[Face | None], image: ImageArray | Picture) -> bool:
    """Whether both looks, from opposite sides, see the face turned the same way."""
    seen = [_roll(look, image) for look in looks if look is not None]
    return len(seen) == 2 and _between(*seen) < AGREED


def _seems_upright(face: Face, image: ImageArray | Picture) -> bool:
    return face.score >= SURE and not _is_rolled(face, image, TILTED)


def _is_rolled(face: Face, image: ImageArray | Picture, least: float) -> bool:
    """Whether the line through the eyes says so; seen from the side, they are at nearly the same place."""
    if face.keypoints is None:
        return False
    height, width = image.shape[:2]
    apart_px = float(np.hypot(*((face.keypoints[1] - face.keypoints[0]) * (width, height))))
    return apart_px > EYES_APART * face.box.w * width and abs(_roll(face, image)) > least


def _between(one: float, other: float) -> float:
    """The angle between two directions, [0, pi]."""
    return abs((one - other + math.pi) % (2 * math.pi) - math.pi)


def _roll(face: Face, image: ImageArray | Picture) -> float:
    height, width = image.shape[:2]
    return eye_roll(face.keypoints, width, height)


def _half_turned(face: Face) -> Face:
    """The same face, as if the left eye were the right one."""
    return face if face.keypoints is None else replace(face, keypoints=face.keypoints[[1, 0, 2, 3, 5, 4]])


def _in_the_middle(faces: list[Face]) -> Iterator[Face]:
    for face in faces:
        x, y, w, h = face.box
        if max(abs(x + w / 2 - 0.5), abs(y + h / 2 - 0.5)) < OFF_CENTRE:
            yield face


def _turned_back(found: Face, face: Face, image: ImageArray | Picture) -> Face:
    """What was found in the close-up of a face, in shares of the whole picture."""
    height, width = image.shape[:2]
    (x, y), side_px = crop_square(face.box, width, height, CLOSE_UP.margin)
    roll = _roll(face, image)
    turn = side_px * np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    size = np.array([width, height])

    def in_picture(points: FloatArray) -> FloatArray:
        return np.asarray(((points - 0.5) @ turn.T + (x, y)) / size, np.float32)

    box = found.box
    ((across, down),) = in_picture(np.array([[box.x + box.w / 2, box.y + box.h / 2]], np.float32)).tolist()
    w, h = box.w * side_px / width, box.h * side_px / height
    keypoints = None if found.keypoints is None else in_picture(found.keypoints)
    return Face(Box(across - w / 2, down - h / 2, w, h), found.score, keypoints)


def _is_near(one: Box, other: Box) -> bool:
    across = abs(one.x + one.w / 2 - other.x - other.w / 2) / max(one.w, other.w)
    down = abs(one.y + one.h / 2 - other.y - other.h / 2) / max(one.h, other.h)
    return max(across, down) < 0.5
