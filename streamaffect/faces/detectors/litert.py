"""BlazeFace short range on LiteRT: the same weights without MediaPipe, for machines where that is missing or unwanted.

The network gives, for each of 896 anchors, a score and 16 numbers: centre, width, height and six keypoints relative to
the anchor, in pixels of its 128 × 128 input. The anchors are the cell centres of a 16 × 16 grid, two each, and of an
8 × 8 grid, six each. Detections that overlap are blended by their scores (Bazarevsky et al. 2019, section 4), which
jitters less than keeping the best one.
"""

from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from streamaffect.errors import EngineError
from streamaffect.faces.detectors.detector import as_picture, largest
from streamaffect.faces.detectors.native_log import quiet_stderr
from streamaffect.faces.detectors.weights import SHORT_RANGE_SHA256, load_weights
from streamaffect.faces.shrink import halve_below
from streamaffect.types import BoolArray, Box, Face, FloatArray, ImageArray, Picture

INPUT_PX = 128
GRIDS = ((16, 2), (8, 6))  # cells along a side, anchors per cell
MIN_OVERLAP = 0.3  # IoU from which two detections are one face


class LiteRTDetector:
    """Behind the protocol `FaceDetector`; frames of a stream and stills are the same to it.

    min_score: detections below this confidence are dropped, [0, 1]
    max_faces: at most so many faces are returned, the largest

    Raises:
        EngineError: LiteRT is not installed, or the weights are not the pinned ones.
    """

    def __init__(
        self,
        model_path: Path | None = None,
        *,
        model_sha256: str = SHORT_RANGE_SHA256,
        min_score: float = 0.5,
        max_faces: int = 8,
    ) -> None:
        weights = load_weights(model_path, model_sha256)
        try:
            from ai_edge_litert.interpreter import Interpreter

            with quiet_stderr():
                self._network: Any = Interpreter(model_content=weights, num_threads=1)
                self._network.allocate_tensors()
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            raise EngineError(
                f"the litert face detector does not start ({error}); pip install 'streamaffect[litert]', "
                "or set faces.detector = mediapipe"
            ) from error
        self._input = self._network.get_input_details()[0]["index"]
        outputs = {output["name"]: output["index"] for output in self._network.get_output_details()}
        self._regressors, self._scores = outputs["regressors"], outputs["classificators"]
        self._anchors = _anchors()
        self._min_score = min_score
        self._max_faces = max_faces

    def detect(self, image: ImageArray | Picture, time_s: float) -> list[Face]:  # noqa: ARG002 (the protocol's)
        """A picture (H, W, 3) uint8 BGR → its faces, the largest first.

        Raises:
            ValueError: not such a picture, or the detector is closed.
        """
        if self._network is None:
            raise ValueError("the face detector is closed")
        pixels, offset, extent = _letterbox(as_picture(image))
        self._network.set_tensor(self._input, pixels)
        self._network.invoke()
        regressors = self._network.get_tensor(self._regressors)[0]  # (896, 16)
        logits = self._network.get_tensor(self._scores)[0, :, 0]  # (896,)
        scores = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
        chosen = scores >= self._min_score
        points = _decode(regressors[chosen], self._anchors[chosen])
        return largest(_blend((points - offset) / extent, scores[chosen]), self._max_faces)

    def close(self) -> None:
        """Release the model. Calling it again does nothing."""
        self._network = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _anchors() -> FloatArray:
    """(896, 2) centres x, y in shares of the input."""
    centres = []
    for cells, repeats in GRIDS:
        rows, columns = np.divmod(np.arange(cells * cells), cells)
        grid = (np.stack((columns, rows), axis=1) + 0.5) / cells
        centres.append(np.repeat(grid, repeats, axis=0))
    return np.concatenate(centres).astype(np.float32)


def _letterbox(picture: ImageArray | Picture) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(1, 128, 128, 3) float32 RGB in [-1, 1] with the picture in its middle, on black.

    With it come the picture's top left corner and its size within that square, each (x, y) in shares of the square.
    """
    image = halve_below(picture, 4 * INPUT_PX)
    scale = INPUT_PX / max(image.shape[:2])
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    square = np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8)
    left, top = (INPUT_PX - width) // 2, (INPUT_PX - height) // 2
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    square[top : top + height, left : left + width] = small
    pixels = cv2.cvtColor(square, cv2.COLOR_BGR2RGB).astype(np.float32)[None] / 127.5 - 1
    offset, extent = np.array(((left, top), (width, height)), np.float32) / INPUT_PX
    return pixels, offset, extent


def _decode(regressors: FloatArray, anchors: FloatArray) -> FloatArray:
    """(n, 16) and (n, 2) → (n, 8, 2) points x, y in shares of the input: top left, bottom right, six keypoints."""
    numbers = regressors.reshape(-1, 8, 2) / INPUT_PX
    centre, half_size = numbers[:, 0] + anchors, numbers[:, 1] / 2
    keypoints = numbers[:, 2:] + anchors[:, None]
    return np.concatenate((np.stack((centre - half_size, centre + half_size), axis=1), keypoints), axis=1)


def _blend(points: FloatArray, scores: FloatArray) -> list[Face]:
    """Non-maximum suppression in which each face is the mean of its detections, weighted by their scores."""
    faces = []
    remaining = np.argsort(-scores, kind="stable")
    while remaining.size:
        best = remaining[0]
        same = _overlaps(points[best], points[remaining])
        same[0] = True  # a box without area overlaps nothing, itself included
        group = remaining[same]
        mean = np.average(points[group], axis=0, weights=scores[group]).astype(np.float32)
        left, top, right, bottom = mean[:2].ravel().tolist()
        faces.append(Face(Box(left, top, right - left, bottom - top), float(scores[best]), mean[2:]))
        remaining = remaining[~same]
    return faces


def _overlaps(one: FloatArray, many: FloatArray) -> BoolArray:
    """(8, 2) and (n, 8, 2) → (n,): whose boxes are the same face as the first."""
    low, high = np.maximum(one[0], many[:, 0]), np.minimum(one[1], many[:, 1])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(one[1] - one[0]) + np.prod(many[:, 1] - many[:, 0], axis=1) - shared
    return np.asarray(shared > MIN_OVERLAP * union)
