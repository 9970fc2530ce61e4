"""The lens `mesh`: blendshapes, head pose and eyes of a face, and its 478 points where somebody wants them.

It reads the picture and not the crop of the encoder, which is too small for landmarks: a square of its own around the
face, turned upright. A look costs 10 to 13 ms, which is why it has a rate, and live a thread of its own.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streamaffect.faces.crop import crop_face, crop_square, eye_roll
from streamaffect.lenses.manifest import PICTURE
from streamaffect.lenses.mesh.landmarker import BLENDSHAPES, POINTS, TASK_SHA256, Landmarker, Landmarks
from streamaffect.lenses.mesh.pose import LEFT_EYE, RIGHT_EYE, eye_openness, head_pose
from streamaffect.lenses.view import AGE, FacePicture, Reading, View
from streamaffect.messages import HeadMeta
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import FloatArray

NAME = KIND = "mesh"
RATE_HZ = 5.0
LOOK_MS = 11.0  # 10 to 13 on two cores of an x86 server
SQUARE = CropSpec(size=256, margin=0.25, align="roll")
POSE = ("pitch", "yaw", "roll")
EYES = {"left_eye_open": LEFT_EYE, "right_eye_open": RIGHT_EYE}
AXES = ("x", "y", "z")
POINT_NAMES = tuple(f"{axis}_{i}" for axis in AXES for i in range(POINTS))  # as OpenFace calls its 68


class MeshLens:
    """A `LensPart`. The model is loaded at the first look, in the thread that looks.

    task:    the landmarker's file, which `find_task` has proved
    points:  publish the points too, 1,434 numbers
    rate_hz: at most so often a second and face; 0 is `RATE_HZ`

    Raises LensError at the first look where MediaPipe does not start.
    """

    is_dear = True

    def __init__(self, task: Path, *, name: str = NAME, points: bool = False, rate_hz: float = 0.0) -> None:
        self._task = task
        self._points = points
        self._landmarker: Landmarker | None = None
        self.inputs: Sequence[str] = (PICTURE,)
        self.rate_hz = rate_hz or RATE_HZ
        self.meta = HeadMeta(
            name=name, kind=KIND, outputs=_outputs(points=points), lens=f"face_landmarker_v2 {TASK_SHA256[:12]}"
        )

    def look(self, views: Sequence[View]) -> list[Reading | None]:
        """One reading for each view; None where the landmarker finds no face in it."""
        if self._landmarker is None:
            self._landmarker = Landmarker(self._task)
        return [None if view.picture is None else self._read(self._landmarker, view.picture) for view in views]

    def close(self) -> None:
        """Release the model."""
        if self._landmarker is not None:
            self._landmarker.close()

    def _read(self, landmarker: Landmarker, seen: FacePicture) -> Reading | None:
        found = landmarker.look(crop_face(seen.picture, seen.face, SQUARE))
        if found is None:
            return None
        height, width = seen.picture.shape[:2]
        tilt = eye_roll(seen.face.keypoints, width, height)
        values = dict(zip(BLENDSHAPES, found.blendshapes.tolist(), strict=True))
        values |= head_pose(found.rotation, tilt=tilt)._asdict()
        values |= {name: eye_openness(found.points, eye) for name, eye in EYES.items()}
        if self._points:
            placed = _in_frame(found, seen, tilt)
            values |= dict(zip(POINT_NAMES, placed.T.ravel().tolist(), strict=True))
        return Reading(values | {AGE: 0.0})


def _in_frame(found: Landmarks, seen: FacePicture, tilt: float) -> FloatArray:
    """The points (478, 3) as shares of the frame's width and height; z as a share of its width."""
    height, width = seen.picture.shape[:2]
    centre, side_px = crop_square(seen.face.box, width, height, SQUARE.margin)
    right, down = ((found.points[:, :2] - 0.5) * side_px).T
    cos, sin = math.cos(tilt), math.sin(tilt)
    x, y = centre[0] + cos * right - sin * down, centre[1] + sin * right + cos * down
    return np.stack([x / width, y / height, found.points[:, 2] * side_px / width], axis=1)


def _outputs(*, points: bool) -> list[dict[str, object]]:
    shapes = [{"name": name, "range": (0.0, 1.0), "unit": "activation"} for name in BLENDSHAPES]
    pose = [{"name": name, "range": (-180.0, 180.0), "unit": "degrees"} for name in POSE]
    eyes = [{"name": name, "range": (0.0, 1.0), "unit": "height over width"} for name in EYES]
    places = [{"name": name, "range": (-1.0, 2.0), "unit": "share of the frame"} for name in POINT_NAMES]
    age = {"name": AGE, "range": (0.0, 10.0), "unit": "s"}
    return [*shapes, *pose, *eyes, *(places if points else ()), age]
