"""The frames of a video as square crops: pictures of a data set, or faces that the stream's detector finds."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from streamaffect.errors import SourceError
from streamaffect.faces.detectors.detector import MediaPipeDetector
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import ImageArray

from ....data.pictures import PICTURES
from ....data.prepare import tracked_faces
from ....errors import DataError

VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm")
LARGEST_ROTATION_DEG = 6.0


def read_crops(source: Path, crop: CropSpec, *, stride: int, fps: float, longest: int) -> ImageArray:
    """Every `stride`-th frame, at most `longest`: (L, S, S, 3) uint8 RGB; L is 0 without a face, a folder or a file.

    source: a folder of frames that show a face, or a video file, in which the face seen most often is cut as the stream
            does it. fps: of the protocol, by which a file is sampled whatever its own rate

    Raises DataError if a picture or file is damaged.
    """
    if source.is_dir():
        return _pictures(source, crop.size, stride, longest)
    if not source.exists():
        return _stacked([], crop.size)
    try:
        with MediaPipeDetector() as detector:
            found = list(tracked_faces(source, detector, None, (stride - 0.5) / fps, crop))
    except SourceError as error:
        raise DataError(str(error)) from error
    tracks = Counter(face[2] for face in found)
    main = tracks.most_common(1)[0][0] if tracks else -1
    return _stacked([face[4] for face in found if face[2] == main][:longest], crop.size)


def find_video(folder: Path, name: str) -> Path:
    """The video file of that name, whatever its ending; a path that does not exist if there is none."""
    return next((path for ending in VIDEOS if (path := folder / f"{name}{ending}").exists()), folder / name)


def augmented(crops: ImageArray, generator: np.random.Generator) -> ImageArray:
    """All frames turned by one angle up to 6 degrees, and mirrored or not: (L, S, S, 3) → the same."""
    side = crops.shape[1]
    angle = generator.uniform(-LARGEST_ROTATION_DEG, LARGEST_ROTATION_DEG)
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, 1.0)
    turned = [cv2.warpAffine(crop, turn, (side, side), borderMode=cv2.BORDER_REPLICATE) for crop in crops]
    frames = _stacked([np.asarray(crop, np.uint8) for crop in turned], side)
    return np.ascontiguousarray(frames[:, :, ::-1]) if generator.uniform() < 0.5 else frames


def _pictures(folder: Path, side: int, stride: int, longest: int) -> ImageArray:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    return _stacked([_square(file, side) for file in files[::stride][:longest]], side)


def _square(file: Path, side: int) -> ImageArray:
    """The middle of a picture at the wanted size, RGB."""
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if picture is None:
        raise DataError(f"{file}: is no picture")
    height, width = picture.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = picture[top : top + edge, left : left + edge]
    method = cv2.INTER_AREA if edge > side else cv2.INTER_CUBIC
    return np.asarray(cv2.cvtColor(cv2.resize(square, (side, side), interpolation=method), cv2.COLOR_BGR2RGB), np.uint8)


def _stacked(crops: list[ImageArray], side: int) -> ImageArray:
    return np.array(crops, np.uint8).reshape(-1, side, side, 3)
