"""Drawn faces for trying a lens without data: how far the mouth curves and the eyes are closed are its units."""

import cv2
import numpy as np

from streamaffect.types import FloatArray, ImageArray

from ...data.guidance import MOVEMENTS
from ...data.prepare import SHARD_CROP
from ...data.stills import Stills
from ...data.videos import LabelledVideo

STILL_PX, FRAMES, PERIOD_S = 48, 25, 0.08
BEFORE = 10  # columns of the guidance before the movements
SMILE, BLINK = MOVEMENTS.index("mouthSmile"), MOVEMENTS.index("eyeBlink")


def generated_stills(count: int, *, seed: int) -> tuple[Stills, FloatArray]:
    """`count` pictures, and (count, len(MOVEMENTS)) movements."""
    generator = np.random.default_rng(seed)
    movements = _movements(generator.uniform(0, 1, (count, 2)))
    pictures = [_draw(row, STILL_PX, 1.0, generator) for row in movements]
    nothing = np.zeros((count, 8), np.float32)
    names = [f"generated/{seed}/{row}" for row in range(count)]
    return Stills(pictures, nothing, nothing[:, :2], np.ones(count, np.float32), names), movements


def generated_clips(count: int, *, seed: int) -> list[LabelledVideo]:
    """`count` short clips, each of another person."""
    generator = np.random.default_rng(seed)
    clips = []
    for number in range(count):
        time_s = np.arange(FRAMES) * PERIOD_S
        phases, rates_hz = generator.uniform(0, 2 * np.pi, 2), generator.uniform(0.3, 0.9, 2)
        movements = _movements(np.sin(2 * np.pi * time_s[:, None] * rates_hz + phases) / 2 + 0.5)
        face_share = 1 / (1 + 2 * SHARD_CROP.margin)
        pictures = [_draw(row, SHARD_CROP.size, face_share, generator) for row in movements]
        nothing = np.zeros((FRAMES, BEFORE), np.float32)
        guidance = np.concatenate([nothing, movements], axis=1)
        name = f"generated-{seed}-{number}"
        clips.append(LabelledVideo(name, name, pictures, time_s, nothing[:, :2], nothing[:, :8], guidance))
    return clips


def _movements(shares: np.ndarray) -> FloatArray:
    """Smile and blink (N, 2), with a little of every other movement, so that none is the same everywhere."""
    movements = np.outer(shares.mean(axis=1), np.linspace(0.2, 0.8, len(MOVEMENTS)))
    movements[:, SMILE], movements[:, BLINK] = shares[:, 0], shares[:, 1]
    return movements.astype(np.float32)


def _draw(movements: FloatArray, size: int, face_share: float, generator: np.random.Generator) -> ImageArray:
    """A grey face whose box takes `face_share` of the picture's side."""
    picture = np.full((size, size), 50, np.uint8)
    scale, middle = size * face_share, size / 2

    def at(x: float, y: float) -> tuple[int, int]:
        return round(middle + x * scale), round(middle + y * scale)

    cv2.circle(picture, at(0, 0), round(0.48 * scale), 190, -1)
    for side in (-0.18, 0.18):
        open_px = max(1, round(0.1 * (1 - movements[BLINK]) * scale))
        cv2.ellipse(picture, at(side, -0.12), (round(0.1 * scale), open_px), 0, 0, 360, 40, -1)
    x = np.linspace(-0.2, 0.2, 9)
    y = 0.2 + 0.14 * float(movements[SMILE]) * (1 - 2 * (x / 0.2) ** 2)
    mouth = np.array([at(*point) for point in zip(x.tolist(), y.tolist(), strict=True)], np.int32)
    cv2.polylines(picture, [mouth], isClosed=False, color=40, thickness=max(1, round(scale / 20)))
    return np.asarray((picture + generator.normal(0, 4, picture.shape)).clip(0, 255), np.uint8)
