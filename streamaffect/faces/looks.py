"""The looks at a still that are averaged: as it is and a little closer, each also mirrored.

A clip of a stream averages over its frames. A still has one frame; several looks at it take the part of the others.
"""

import cv2
import numpy as np

from streamaffect.types import ImageArray

CLOSER = 0.92  # share of the crop's side that the second look shows


def looks(crops: ImageArray) -> list[ImageArray]:
    """(N, S, S) or (N, S, S, 3) uint8 → the four looks, each of the same shape."""
    closer = np.stack([_closer(crop) for crop in crops])
    return [view for part in (crops, closer) for view in (part, np.ascontiguousarray(part[:, :, ::-1]))]


def _closer(crop: ImageArray) -> ImageArray:
    size = crop.shape[0]
    margin = (1 - CLOSER) * (size - 1) / 2
    to_source = np.array([[CLOSER, 0.0, margin], [0.0, CLOSER, margin]])
    return np.asarray(cv2.warpAffine(crop, to_source, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))
