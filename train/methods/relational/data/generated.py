"""Drawn faces for trying a recipe without data: the mouth's curve is valence, the eyes' opening is arousal."""

import cv2
import numpy as np

from streamaffect.types import FloatArray, ImageArray

from ....data.prepare import SHARD_CROP
from ....data.stills import EMOTIONS, Stills, with_channels
from ....data.videos import LabelledVideo

STILL_PX = 48
VIDEO_S, PERIOD_S = 4.0, 0.08


def generated_stills(count: int, *, seed: int, colour: bool = False) -> Stills:
    """`count` faces with random valence and arousal."""
    generator = np.random.default_rng(seed)
    affect = generator.uniform(-1, 1, (count, 2)).astype(np.float32)
    drawn = (_draw(valence, arousal, STILL_PX, 1.0, generator) for valence, arousal in affect.tolist())
    pictures = [with_channels(picture, colour=colour) for picture in drawn]
    names = [f"generated/{seed}/{row}" for row in range(count)]
    return Stills(pictures, _emotions(affect), affect, np.ones(count, np.float32), names)


def generated_videos(count: int, *, seed: int, colour: bool = False) -> list[LabelledVideo]:
    """`count` short videos of faces whose valence and arousal swing."""
    generator = np.random.default_rng(seed)
    videos = []
    for number in range(count):
        time_s = np.arange(0, VIDEO_S, PERIOD_S)
        phases = generator.uniform(0, 2 * np.pi, 2)
        rates_hz = generator.uniform(0.1, 0.4, 2)
        affect = np.sin(2 * np.pi * time_s[:, None] * rates_hz + phases).astype(np.float32)
        size, face_share = SHARD_CROP.size, 1 / (1 + 2 * SHARD_CROP.margin)
        drawn = (_draw(valence, arousal, size, face_share, generator) for valence, arousal in affect.tolist())
        pictures = [with_channels(picture, colour=colour) for picture in drawn]
        name = f"generated-{seed}-{number}"
        videos.append(LabelledVideo(name, name, pictures, time_s, affect, _emotions(affect)))
    return videos


def _draw(valence: float, arousal: float, size: int, face_share: float, generator: np.random.Generator) -> ImageArray:
    """A grey face whose box takes `face_share` of the picture's side."""
    light = generator.uniform(0.7, 1.0)
    picture = np.full((size, size), int(60 * light), np.uint8)
    scale, middle = size * face_share, size / 2

    def at(x: float, y: float) -> tuple[int, int]:
        return round(middle + x * scale), round(middle + y * scale)

    thick = max(1, round(scale / 24))
    cv2.circle(picture, at(0, 0), round(0.48 * scale), int(200 * light), -1)
    for side in (-0.18, 0.18):
        axes = (round(0.09 * scale), max(1, round((0.05 + 0.04 * arousal) * scale)))
        cv2.ellipse(picture, at(side, -0.12), axes, 0, 0, 360, int(40 * light), -1)
    x = np.linspace(-0.2, 0.2, 9)
    y = 0.22 + 0.1 * valence * (1 - 2 * (x / 0.2) ** 2)
    mouth = np.array([at(*point) for point in zip(x.tolist(), y.tolist(), strict=True)], np.int32)
    cv2.polylines(picture, [mouth], isClosed=False, color=int(40 * light), thickness=thick)
    noisy = picture + generator.normal(0, 4, picture.shape)
    return np.asarray(noisy.clip(0, 255), np.uint8)


def _emotions(affect: FloatArray) -> FloatArray:
    """Soft emotions by distance in the circumplex to four corners and the middle; the other emotions do not occur."""
    corners = {
        "neutral": (0, 0),
        "happiness": (0.8, 0.5),
        "surprise": (0.2, 0.9),
        "sadness": (-0.6, -0.5),
        "anger": (-0.6, 0.6),
    }
    shares = np.full((len(affect), len(EMOTIONS)), 1e-3, np.float32)
    for emotion, corner in corners.items():
        distance = np.square(affect - np.array(corner, np.float32)).sum(axis=1)
        shares[:, EMOTIONS.index(emotion)] += np.exp(-4 * distance)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)
