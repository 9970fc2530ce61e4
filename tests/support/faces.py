"""Real frames of a face, from the clip that ships with the package."""

import itertools
from collections.abc import Iterator

import cv2
import numpy as np

from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.types import ImageArray


def demo_frames(count: int) -> list[ImageArray]:
    """The first `count` frames of the demo clip, (H, W, 3) uint8 BGR."""
    frames = list(itertools.islice(_read(), count))
    assert len(frames) == count, f"{DEMO_CLIP} has {len(frames)} readable frames, {count} are needed"
    return frames


def noisy(image: ImageArray, count: int, *, grey_levels: float = 4.0) -> list[ImageArray]:
    """The same picture again and again, as a camera with that much noise would see it."""
    random = np.random.default_rng(7)
    frames = (image + random.normal(0, grey_levels, image.shape) for _ in range(count))
    return [np.clip(frame, 0, 255).astype(np.uint8) for frame in frames]


def _read() -> Iterator[ImageArray]:
    video = cv2.VideoCapture(str(DEMO_CLIP))
    try:
        while True:
            has_frame, image = video.read()
            if not has_frame:
                return
            yield np.asarray(image, np.uint8)
    finally:
        video.release()
