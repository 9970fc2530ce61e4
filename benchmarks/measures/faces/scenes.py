"""Short made-up streams of real faces: cuts between two people, and what looks like a cut and is none.

A still becomes a stream by a camera that is held by hand: it drifts, breathes in and out, and has noise. All faces are
in the same place and of the same size, so that boxes alone tell nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from streamaffect.types import ImageArray

SIDE_PX = 256
BEFORE, AFTER = 25, 30  # frames
FPS = 25.0
NOISE, GRAIN_PX = 3.0, 64  # in grey levels; and how far a frame's grain is from the next one's

Frames = list[ImageArray]
Event = Callable[[Frames], Frames]


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture of one person, as a camera in somebody's hand would see it for BEFORE + AFTER frames.

    image: (H, W, 3) uint8 BGR; seed: of the hand and the noise
    """

    person: str
    image: ImageArray
    seed: int

    def frames(self) -> Frames:
        """Successive frames (SIDE_PX, SIDE_PX, 3) uint8 BGR; made anew, since many of them would fill the memory."""
        rng = np.random.default_rng(self.seed)
        count = BEFORE + AFTER
        square = np.asarray(cv2.resize(_square(self.image), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
        drift = np.cumsum(rng.normal(0, 0.6, (count, 2)), axis=0)
        zoom = 1.05 + 0.02 * np.sin(np.arange(count) / 6 + rng.uniform(0, 6))
        return [_noisy(_moved(square, drift[i, 0], drift[i, 1], zoom[i]), rng) for i in range(count)]


def joined(one: Shot, other: Shot) -> Frames:
    """The first shot, and from frame BEFORE on the second one."""
    return one.frames()[:BEFORE] + other.frames()[BEFORE:]


def flash(frames: Frames) -> Frames:
    """A camera's flash lights two frames up."""
    return _relit(frames, {BEFORE: 2.5, BEFORE + 1: 1.7})


def light_out(frames: Frames) -> Frames:
    """A light is switched off."""
    return _relit(frames, dict.fromkeys(range(BEFORE, len(frames)), 0.35))


def light_on(frames: Frames) -> Frames:
    """A light is switched on."""
    return _relit(frames, dict.fromkeys(range(BEFORE), 0.4))


def fade(frames: Frames) -> Frames:
    """To black within half a second, and back."""
    return _relit(frames, {BEFORE - 12 + i: abs(i - 12) / 12 for i in range(25)})


def pan(frames: Frames) -> Frames:
    """The camera swings by a third of the picture within six frames."""
    shift = np.interp(np.arange(len(frames)), [BEFORE, BEFORE + 6], [0, SIDE_PX / 3])
    return [_moved(frame, -across, 0, 1) for frame, across in zip(frames, shift, strict=True)]


def zoom_in(frames: Frames) -> Frames:
    """The camera zooms by half within eight frames."""
    scale = np.interp(np.arange(len(frames)), [BEFORE, BEFORE + 8], [1, 1.5])
    return [_moved(frame, 0, 0, by) for frame, by in zip(frames, scale, strict=True)]


def hand(frames: Frames) -> Frames:
    """A hand hides the lower half of the face for eight frames."""
    return _covered(frames, {BEFORE + i: (0.25, 0.5, 0.75, 1.0) for i in range(8)}, (110, 140, 190))


def passer_by(frames: Frames) -> Frames:
    """Somebody in dark clothes walks past close to the camera, within twelve frames."""
    return _covered(frames, {BEFORE + i: (i / 8 - 0.6, 0.0, i / 8, 1.0) for i in range(12)}, (40, 35, 30))


def torn(frames: Frames) -> Frames:
    """Half a second is missing, in which the camera has moved by a tenth of the picture."""
    return frames[:BEFORE] + [_moved(frame, SIDE_PX / 10, 0, 1) for frame in frames[BEFORE + 12 :]]


def washed_out(frames: Frames) -> Frames:
    """The camera sets its white balance and exposure anew, within three frames."""
    steps = np.interp(np.arange(len(frames)), [BEFORE, BEFORE + 3], [0, 1])
    return [_scaled(frame, 1 + step * np.array([0.5, 0.1, -0.35])) for frame, step in zip(frames, steps, strict=True)]


NO_CUTS: dict[str, Event] = {
    "flash": flash,
    "light off": light_out,
    "light on": light_on,
    "fade to black and back": fade,
    "fast pan": pan,
    "zoom": zoom_in,
    "hand before the face": hand,
    "passer-by": passer_by,
    "half a second missing": torn,
    "new white balance": washed_out,
}


def turning(image: ImageArray, count: int, seed: int) -> Iterator[tuple[ImageArray, float]]:
    """A face that turns clockwise once around, with the angle in degrees of each of `count` frames."""
    rng = np.random.default_rng(seed)
    small = np.asarray(cv2.resize(_square(image), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
    for i in range(count):
        degrees = 360.0 * i / count
        yield _noisy(turned(small, degrees), rng), degrees


def turned(image: ImageArray, degrees: float) -> ImageArray:
    """A square picture turned clockwise about its centre, in a square that holds all of it; the border is repeated."""
    square = _square(image)
    side = square.shape[0]
    wide = round(side * (abs(np.cos(np.radians(degrees))) + abs(np.sin(np.radians(degrees)))))
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), -degrees, 1)
    turn[:, 2] += (wide - side) / 2
    return np.asarray(cv2.warpAffine(square, turn, (wide, wide), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _square(image: ImageArray) -> ImageArray:
    """The middle of a picture, as high as it is wide."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def _moved(image: ImageArray, across: float, down: float, zoom: float) -> ImageArray:
    height, width = image.shape[:2]
    move = cv2.getRotationMatrix2D((width / 2, height / 2), 0, zoom)
    move[:, 2] += np.array((across, down))
    return np.asarray(cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _noisy(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """With a part of the grain that no other frame has."""
    height, width = image.shape[:2]
    top, left = rng.integers(0, GRAIN_PX, 2).tolist()
    return np.asarray(np.clip(image + _grain()[top : top + height, left : left + width], 0, 255), np.uint8)


@cache
def _grain() -> np.ndarray:
    """Noise in which every frame of a scene finds a place: drawing it anew would take longer than all else."""
    side = 2 * SIDE_PX + GRAIN_PX
    return np.random.default_rng(0).normal(0, NOISE, (side, side, 3)).astype(np.float32)


def _scaled(image: ImageArray, gain: float | np.ndarray) -> ImageArray:
    return np.clip(image * gain, 0, 255).astype(np.uint8)


def _relit(frames: Frames, gains: dict[int, float]) -> Frames:
    return [_scaled(frame, gains[i]) if i in gains else frame for i, frame in enumerate(frames)]


def _covered(frames: Frames, boxes: dict[int, tuple[float, ...]], colour: Sequence[int]) -> Frames:
    """Paint a box (left, top, right, bottom as shares) over some of the frames."""
    covered = [frame.copy() for frame in frames]
    for i, box in boxes.items():
        left, top, right, bottom = (round(min(max(share, 0.0), 1.0) * SIDE_PX) for share in box)
        covered[i][top:bottom, left:right] = colour
    return covered
