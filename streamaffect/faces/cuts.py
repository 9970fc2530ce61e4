"""Noticing a cut: the picture and all faces in it change from one frame to the next, and stay so.

A tracker that goes by boxes takes the speaker after a cut for the one before it, where both sit in the middle. The
whole picture, at 16 × 12 pixels, tells whether to look: it has little in common with the one before, or much of it
changes several times as much as it did of late. Then the faces decide, and what is around them: two people in one
studio are more alike than one person a second later, but their pictures are not. If no face is one of those before,
there may have been a cut, or a flash, a hand before the face, somebody who walks past. What has not come back after a
few steady frames was a cut. `benchmarks/faces.py` measures how often that is right (docs/accuracy.md).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from streamaffect.faces.crop import crop_face
from streamaffect.faces.shrink import by_channel
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import Face, FloatArray, ImageArray, Picture

SAMPLES, SHAPE = (64, 48), (16, 12)
LONGEST_GAP_S = 0.5  # frames farther apart are different without any cut
CHANGED = 6.0  # grey levels on average, from which on a picture, or a part of it, counts as changed
MUCH = 0.35  # of the picture has changed at a cut, even if two people are filmed in the same studio
FOREIGN = 0.5  # correlation of two pictures below which they have nothing in common
TIMES = 4.0  # or so many times the usual change
SAME_FACE = 0.8  # correlation of two faces from which on they are one, whatever is around them
SAME_SCENE = 1.5  # or of the faces and of the whole pictures together
USUAL, STEADY = 8, 2  # frames: what is usual, and as many of the last as are still when a scene has begun
BACK = 0.9  # correlation with the picture before the change, from which on it is there again
SWUNG, SWUNG_BY = 0.7, 0.01  # what is shifted correlates so well, and so much better than what is not
LIKENESS_PX = 32
FINEST_SHADE_PX = 6.4  # what is wider is light or shade
FACE_SHIFT, SCENE_SHIFT = (3, 3), (8, 6)  # pixels by which a face or a picture may have moved, across and down
CERTAIN_FRAMES, CERTAIN_S = 3, 0.1
OPEN_S = 0.64  # longer than that, nothing is left open
WINDOW = cv2.createHanningWindow(SAMPLES, cv2.CV_32F)

Verdict = Literal["same", "doubt", "cut"]


@dataclass(slots=True)
class _Change:
    """A picture that has changed as at a cut, and what is known since.

    before, scene: the picture before it, as `_shown` and `_likeness` show it
    known:         the faces in it
    strange:       frames with strange faces alone, the first of which was at `strange_s`
    """

    before: FloatArray
    scene: FloatArray
    known: list[FloatArray]
    until_s: float
    strange: int = 0
    strange_s: float = 0.0


class CutWatch:
    """Looks at the frames of one stream in their order.

    spec: how the crops of its faces are cut
    """

    def __init__(self, spec: CropSpec) -> None:
        self._spec = spec
        self._before: FloatArray | None = None
        self._samples: ImageArray = np.zeros((*SAMPLES[::-1], 3), np.uint8)
        self._time_s = 0.0
        self._changes: deque[float] = deque(maxlen=USUAL)
        self._change: _Change | None = None

    def judge(
        self, picture: ImageArray | Picture, time_s: float, faces: Sequence[Face], known: Sequence[ImageArray]
    ) -> Verdict:
        """Whether the scene is still the `same`, has been `cut`, or is in `doubt` for a few frames.

        faces: in the frame; known: the last crops (S, S, 3) uint8 RGB of those that are followed
        """
        samples = _samples(picture)
        shown = _shown(samples)
        self._compare(shown, samples, time_s, known)
        change = self._change
        if change is None:
            return "same"
        verdict = self._weigh(change, picture, shown, time_s, faces)
        if verdict != "doubt":
            self._change = None
        elif not change.strange:
            return "same"  # no face has come into view yet
        return verdict

    def _compare(self, shown: FloatArray, samples: ImageArray, time_s: float, known: Sequence[ImageArray]) -> None:
        """Note whether the picture has changed as at a cut."""
        before, gap_s = self._before, time_s - self._time_s
        samples_before = self._samples
        self._before, self._samples, self._time_s = shown, samples, time_s
        if before is None or gap_s > LONGEST_GAP_S:
            self._change = None
            return
        parts = np.abs(shown - before).mean(axis=2)
        change = float(parts.mean())
        changes = list(self._changes)
        self._changes.append(change)
        if self._change is not None or not known or change < CHANGED or float((parts > CHANGED).mean()) < MUCH:
            return
        usual = float(np.median(changes)) if changes else CHANGED
        is_foreign = _correlation(shown, before) < FOREIGN
        if (is_foreign or change > TIMES * (usual + 1)) and not _is_swung(samples_before, samples):
            faces = [_face_likeness(crop) for crop in known]
            self._change = _Change(before, _likeness(samples_before), faces, time_s + OPEN_S)

    def _weigh(
        self, change: _Change, picture: ImageArray | Picture, shown: FloatArray, time_s: float, faces: Sequence[Face]
    ) -> Verdict:
        if _correlation(shown, change.before) > BACK and float(np.abs(shown - change.before).mean()) < CHANGED:
            return "same"
        if faces:
            now = [_face_likeness(crop_face(picture, face, self._spec)) for face in faces]
            alike = max(_shifted_correlation(other, one, FACE_SHIFT) for other in change.known for one in now)
            scene = _likeness(self._samples)
            if alike >= SAME_FACE or alike + _shifted_correlation(change.scene, scene, SCENE_SHIFT) >= SAME_SCENE:
                return "same"
            change.strange_s = change.strange_s if change.strange else time_s
            change.strange += 1
        if time_s > change.until_s:
            return "cut" if change.strange else "same"
        is_certain = change.strange >= CERTAIN_FRAMES and time_s - change.strange_s >= CERTAIN_S
        return "cut" if is_certain and max(list(self._changes)[-STEADY:]) < CHANGED else "doubt"


def _samples(picture: ImageArray | Picture) -> ImageArray:
    """(48, 64, 3) uint8 BGR of the whole picture; of one that is not made yet averages, which come cheaper there."""
    height, width = picture.shape[:2]
    return by_channel(
        picture,
        lambda image: np.asarray(cv2.resize(image, SAMPLES, interpolation=cv2.INTER_NEAREST), np.uint8),
        lambda unmade: unmade.part((0, 0, width, height), SAMPLES),
    )


def _shown(samples: ImageArray) -> FloatArray:
    """(12, 16, 3) float32 of what the samples of a picture show."""
    return np.asarray(cv2.resize(samples, SHAPE, interpolation=cv2.INTER_AREA), np.float32)


def _is_swung(before: ImageArray, now: ImageArray) -> bool:
    """Whether the samples of two pictures show the same but for a shift, since the camera swings."""
    one, other = (cv2.cvtColor(samples, cv2.COLOR_BGR2GRAY).astype(np.float32) for samples in (before, now))
    (across, down), response = cv2.phaseCorrelate(one, other, WINDOW)
    x, y = round(across), round(down)
    if response < SWUNG or (x, y) == (0, 0):
        return False
    height, width = one.shape
    there = one[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
    here = other[max(0, y) : height - max(0, -y), max(0, x) : width - max(0, -x)]
    return _correlation(np.asarray(there), np.asarray(here)) > max(SWUNG, _correlation(one, other) + SWUNG_BY)


def _face_likeness(crop: ImageArray) -> FloatArray:
    """(32, 32) float32 of a crop (S, S, 3) uint8 RGB, as `_likeness` shows it."""
    side = (LIKENESS_PX, LIKENESS_PX)
    return _likeness(np.asarray(cv2.resize(crop, side, interpolation=cv2.INTER_AREA)[:, :, ::-1], np.uint8))


def _likeness(image: ImageArray) -> FloatArray:
    """(H, W) float32 of a small picture (H, W, 3) uint8 BGR: its features, on a scale on which light and shade count
    little.
    """
    grey = np.log(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32) + 8)
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), FINEST_SHADE_PX), np.float32)


def _shifted_correlation(one: FloatArray, other: FloatArray, most: tuple[int, int]) -> float:
    """Of two likenesses of one shape, [-1, 1], where the middle of the other fits best within the first."""
    (height, width), (across, down) = other.shape, most
    middle = other[down : height - down, across : width - across]
    return float(cv2.matchTemplate(one, middle, cv2.TM_CCOEFF_NORMED).max())


def _correlation(one: FloatArray, other: FloatArray) -> float:
    """Of two pictures of the same shape, [-1, 1]; 1 where one of them shows nothing."""
    a, b = one.ravel() - one.mean(), other.ravel() - other.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 1e-3 else 1.0
