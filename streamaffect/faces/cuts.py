"""Noticing a cut: the picture and all faces in it change from one frame to the next.

A tracker that goes by boxes takes the speaker after a cut for the one before it, where both sit in the middle. The
whole picture, at 16 × 12 pixels, tells whether to look: it has little in common with the one before, or changes several
times as much as it did of late. Then the faces decide: a cut is where none of them looks like one of those before. Of
3,000 cuts between videos in which one face takes the place of another, 97 % are seen so (of those between different
films 99.9 %); of 10,315 pairs of neighbouring frames within videos two are, and both are cuts.
"""

from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np

from streamaffect.faces.crop import crop_face
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import Face, FloatArray, ImageArray

SAMPLES, SHAPE = (64, 48), (16, 12)
LIKENESS = (16, 16)
LONGEST_GAP_S = 0.5  # frames farther apart are different without any cut
CHANGED = 6.0  # grey levels on average, from which on a picture counts as changed at all
FOREIGN, FOREIGN_FACE = 0.5, 0.85  # correlation of the pictures, and of faces, below which they have nothing in common
TIMES, OTHER_FACE = 4.0, 0.65  # or: so many times the usual change, and faces that look less alike than that
USUAL = 8  # frames
OPEN_S = 0.64  # if no face is in view right after it, a change waits so long for one


class CutWatch:
    """Looks at the frames of one stream in their order.

    spec: how the crops of its faces are cut
    """

    def __init__(self, spec: CropSpec) -> None:
        self._spec = spec
        self._before: FloatArray | None = None
        self._time_s = 0.0
        self._changes: deque[float] = deque(maxlen=USUAL)
        self._limit: tuple[float, float] | None = None

    def sees_cut(
        self, picture: ImageArray, time_s: float, faces: Sequence[Face], known: Sequence[ImageArray]
    ) -> bool:
        """True where the frame at `time_s` follows on a cut.

        faces: in the frame; known: the last crops (S, S, 3) uint8 RGB of those that were followed so far
        """
        self._compare(_shown(picture), time_s)
        if self._limit is None or not faces or not known:
            return False
        least, _ = self._limit
        self._limit = None
        now = [_likeness(crop_face(picture, face, self._spec)) for face in faces]
        return all(_correlation(one, other) < least for other in map(_likeness, known) for one in now)

    def _compare(self, shown: FloatArray, time_s: float) -> None:
        """Note whether the picture has changed as at a cut: then, how alike faces must look to be the same."""
        before, gap_s = self._before, time_s - self._time_s
        self._before, self._time_s = shown, time_s
        if self._limit is not None and time_s > self._limit[1]:
            self._limit = None
        if before is None or gap_s > LONGEST_GAP_S:
            return
        change = float(np.abs(shown - before).mean())
        usual = float(np.median(self._changes)) if self._changes else CHANGED
        self._changes.append(change)
        if change < CHANGED:
            return
        if _correlation(shown, before) < FOREIGN:
            self._limit = FOREIGN_FACE, time_s + OPEN_S
        elif change > TIMES * (usual + 1):
            self._limit = OTHER_FACE, time_s + OPEN_S


def _shown(picture: ImageArray) -> FloatArray:
    """(12, 16, 3) float32 of what the picture shows, from a few samples."""
    samples = cv2.resize(picture, SAMPLES, interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.resize(samples, SHAPE, interpolation=cv2.INTER_AREA), np.float32)


def _likeness(crop: ImageArray) -> FloatArray:
    """(16, 16) float32 of a crop (S, S, 3)."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, LIKENESS, interpolation=cv2.INTER_AREA), np.float32)


def _correlation(one: FloatArray, other: FloatArray) -> float:
    """Of two pictures of the same shape, [-1, 1]; 1 where one of them shows nothing."""
    a, b = one.ravel() - one.mean(), other.ravel() - other.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 1e-3 else 1.0
