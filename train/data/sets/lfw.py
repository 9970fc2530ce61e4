"""Faces of Labeled Faces in the Wild, stored as one npz of 128 × 128 JPEG crops, with a teacher's labels."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from ...errors import DataError
from ..guidance import guidance
from ..stills import Stills

# Measured with the runtime's detector: these cuts are 1.54 times as wide as its box, the stream's crops 1.2 times.
SHOWN = 0.78


def load_lfw(root: Path, *, colour: bool = False) -> Stills:
    """Read `lfw_faces/lfw_faces.npz`. Its one annotator's labels are not used: they are too noisy."""
    file = root / "lfw_faces" / "lfw_faces.npz"
    if not file.is_file():
        raise DataError(f"{file}: missing; --data takes the folder that holds lfw_faces/")
    with np.load(file, allow_pickle=False) as arrays:
        jpeg, offsets = arrays["jpeg"], arrays["offsets"]
        emotions = arrays["teacher_probs"].astype(np.float32)
        affect = arrays["teacher_va"].astype(np.float32)
        names = [f"lfw/{name}" for name in arrays["image"].tolist()]
    parts = [jpeg[start:end] for start, end in pairwise(offsets.tolist())]
    mode = cv2.IMREAD_COLOR_RGB if colour else cv2.IMREAD_GRAYSCALE
    pictures = [np.asarray(cv2.imdecode(part, mode), np.uint8) for part in parts]
    shown = np.full(len(pictures), SHOWN, np.float32)
    emotions /= emotions.sum(axis=1, keepdims=True)
    return Stills(pictures, emotions, affect, shown, names, guidance(affect, emotions))
