"""FER as its documentation shows it: `FER()` and `detect_emotions` on every frame. Runs in FER's own environment.

python -m benchmarks.measures.peers.fer_video VIDEO
"""

import logging
import os
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from benchmarks.measures.peers.reading import Face, read_with_opencv

if TYPE_CHECKING:
    import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
PACKAGES = ("fer", "opencv-contrib-python", "numpy")


def main() -> None:
    """Read and print the reading."""
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    import tensorflow
    from fer.fer import FER

    detector = FER()

    def look(picture: "np.ndarray") -> Iterable[Face]:
        height, width = picture.shape[:2]
        for found in detector.detect_emotions(picture):
            if found["emotions"]:
                x, y, w, h = (float(number) for number in found["box"])
                yield x / width, y / height, w / width, h / height

    read_with_opencv(look, PACKAGES, tensorflow=tensorflow.__version__)


if __name__ == "__main__":
    main()
