"""Finding the faces of a frame: the protocol every detector follows, and MediaPipe's BlazeFace behind it."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.faces.detectors.direct_calls import call_directly
from streamaffect.faces.detectors.native_log import quiet_stderr
from streamaffect.faces.detectors.weights import SHORT_RANGE_SHA256, load_weights
from streamaffect.faces.shrink import rgb_below
from streamaffect.types import Box, Face, FloatArray, ImageArray, Picture

# MediaPipe samples the network's 128 × 128 pixels without anti-aliasing: handed 320 to 640 pixels that were averaged
# before, its keypoints jitter a third less than on the full picture, and a 1080p frame costs less.
LONGEST_SIDE_PX = 640


class FaceDetector(Protocol):
    """Finds faces in single frames. One thread at a time."""

    def detect(self, image: ImageArray | Picture, time_s: float) -> list[Face]:
        """A picture (H, W, 3) uint8 BGR, seen at `time_s` → its faces, the largest first."""
        ...

    def close(self) -> None:
        """Release the model. Calling it again does nothing."""
        ...


class MediaPipeDetector:
    """BlazeFace short range (faces nearer than about 2 m) through MediaPipe's Tasks API.

    mode: "video" for frames of a stream, "image" for stills that have nothing to do with each other
    min_score: detections below this confidence are dropped, [0, 1]
    max_faces: at most so many faces are returned, the largest

    Raises:
        EngineError: MediaPipe is missing here, or the weights are not the pinned ones.
    """

    def __init__(
        self,
        model_path: Path | None = None,
        *,
        model_sha256: str = SHORT_RANGE_SHA256,
        mode: Literal["video", "image"] = "video",
        min_score: float = 0.5,
        max_faces: int = 8,
    ) -> None:
        weights = load_weights(model_path, model_sha256)
        self._max_faces = max_faces
        self._mode = mode
        self._last_ms = -1
        self._rgb: ImageArray | None = None
        try:
            with without_sound():
                from mediapipe.tasks.python import BaseOptions, vision
                from mediapipe.tasks.python.vision.core.image import Image, ImageFormat

            self._wrap: Callable[[ImageArray], Any] = partial(Image, ImageFormat.SRGB)
            options = vision.FaceDetectorOptions(
                base_options=BaseOptions(model_asset_buffer=weights),
                running_mode=vision.RunningMode[mode.upper()],
                min_detection_confidence=min_score,
            )
            with quiet_stderr():
                self._task: Any = vision.FaceDetector.create_from_options(options)
            if mode == "video":  # pictures are looked at in a user's own thread, which may fork later
                call_directly(self._task)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise EngineError(
                f"MediaPipe's face detector does not start ({reason}); "
                "reinstall mediapipe, or set faces.detector = litert"
            ) from error

    def detect(self, image: ImageArray | Picture, time_s: float) -> list[Face]:
        """A picture (H, W, 3) uint8 BGR → its faces, the largest first. `time_s` may repeat and go back.

        Raises:
            ValueError: not such a picture, or the detector is closed.
        """
        if self._task is None:
            raise ValueError("the face detector is closed")
        self._rgb = rgb_below(as_picture(image), LONGEST_SIDE_PX, self._rgb)
        picture = self._wrap(self._rgb)
        if self._mode == "image":
            result = self._task.detect(picture)
        else:
            result = self._task.detect_for_video(picture, self._next_ms(time_s))
        height, width = self._rgb.shape[:2]
        faces = [_to_face(detection, width, height) for detection in result.detections]
        return largest(faces, self._max_faces)

    def close(self) -> None:
        """Release the model. Calling it again does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _next_ms(self, time_s: float) -> int:
        # MediaPipe refuses a timestamp that does not grow, though its detector keeps nothing from frame to frame.
        self._last_ms = max(self._last_ms + 1, round(time_s * 1000))
        return self._last_ms


def as_picture(image: ImageArray | Picture) -> ImageArray | Picture:
    """The image itself. Raises ValueError unless it is (H, W, 3) uint8 with at least one pixel."""
    if not isinstance(image, np.ndarray):
        return image
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"expected a picture (H, W, 3) uint8 BGR, got {image.shape} {image.dtype}")
    return image


def largest(faces: list[Face], count: int) -> list[Face]:
    """At most `count` faces, by area, the largest first."""
    return sorted(faces, key=lambda face: face.box.w * face.box.h, reverse=True)[:count]


def _to_face(detection: Any, width: int, height: int) -> Face:
    """A MediaPipe detection, whose box is in pixels, as shares of the frame."""
    box = detection.bounding_box
    keypoints: FloatArray = np.array([(point.x, point.y) for point in detection.keypoints], np.float32)
    return Face(
        box=Box(box.origin_x / width, box.origin_y / height, box.width / width, box.height / height),
        score=float(detection.categories[0].score),
        keypoints=keypoints,
    )


@contextmanager
def without_sound() -> Iterator[None]:
    """Import MediaPipe without `sounddevice`, which it does without: with PortAudio there, that asks every sound server
    of the machine, and may start one.
    """
    finder = _NoSound(threading.get_ident())
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _NoSound:
    """Refuses `sounddevice` to one thread; another may be opening a microphone."""

    def __init__(self, thread: int) -> None:
        self._thread = thread

    def find_spec(self, name: str, *_: object) -> None:
        if name == "sounddevice" and threading.get_ident() == self._thread:
            raise ModuleNotFoundError("the detector of faces hears nothing", name=name)
