"""Synthetic load: copies of the demo's face that drift over a plain background, the same in every run.

The faces are real pictures, so that the detector finds them, and their expression changes as in the demo. What frame
number i shows depends on the scene and on i alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import ConfigError, SourceEndedError
from streamaffect.sources.base import Source, SourceInfo
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.pacing import Pacer
from streamaffect.sources.video.reader import open_video
from streamaffect.types import FloatArray, Frame, ImageArray, pixels

BACKGROUND_BGR = (112, 104, 96)
LARGEST_PX = 4096
MOST_FACES = 64
CELL_SHARE = 0.85
EXPRESSION_STEP = 5

SceneValue = int | float | tuple[int, int]

# The head in the demo clip, in pixels: left, top, width, height.
HEAD = (205, 5, 230, 300)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is shown: number of faces, frames per second, size in pixels, and seconds until the end (None: endless)."""

    faces: int = 1
    fps: float = 30.0
    size: tuple[int, int] = (640, 360)
    seconds: float | None = None


def parse_scene(text: str) -> Scene:
    """The scene of `faces=3,fps=30,size=1280x720,seconds=10`; each part may be left out.

    Raises:
        ConfigError: a name is unknown or a value out of its range.
    """
    values: dict[str, SceneValue] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in _PARTS:
            raise ConfigError(f"synthetic: unknown setting {name!r}; expected some of {', '.join(_PARTS)}")
        values[name] = _PARTS[name](name, value)
    return Scene(**values)  # type: ignore[arg-type]


class SyntheticSource(Source):
    """The frames of a scene in live pace."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._pacer = Pacer()
        self._clock = Clock.now()
        self._faces: _Faces | None = None
        self._index = 0

    def open(self) -> SourceInfo:
        """Cut the faces out of the demo clip."""
        if self._pacer.stopped:
            raise SourceEndedError("synthetic: was closed")
        self._faces = _Faces(self._scene)
        scene = self._scene
        return SourceInfo(
            kind="synthetic",
            address="synthetic",
            live=True,
            width=scene.size[0],
            height=scene.size[1],
            fps=scene.fps,
            frames=None if scene.seconds is None else round(scene.seconds * scene.fps),
            duration_s=scene.seconds,
        )

    def read(self) -> Frame:
        """The next frame when it is due."""
        time_s = self._index / self._scene.fps
        if self._faces is None or (self._scene.seconds is not None and time_s >= self._scene.seconds):
            raise SourceEndedError("synthetic: ended")
        image = self._faces.draw(time_s)
        if not self._pacer.wait(time_s):
            raise SourceEndedError("synthetic: was closed")
        index, self._index = self._index, self._index + 1
        grabbed_ns = monotonic_ns()
        return Frame(image, index, grabbed_ns * 1e-9, self._clock.utc(grabbed_ns), grabbed_ns)

    def close(self) -> None:
        """Stop waiting."""
        self._pacer.stop()


class _Faces:
    """The heads of the demo clip at the size that fits the scene, and the paths on which they drift."""

    def __init__(self, scene: Scene) -> None:
        width, height = scene.size
        columns, rows = _grid(scene)
        self._cell = (width / columns, height / rows)
        scale = CELL_SHARE * min(self._cell[0] / HEAD[2], self._cell[1] / HEAD[3])
        self._patch_size = (max(1, round(HEAD[2] * scale)), max(1, round(HEAD[3] * scale)))
        self._centres = [
            ((i % columns + 0.5) * self._cell[0], (i // columns + 0.5) * self._cell[1]) for i in range(scene.faces)
        ]
        self._background = np.full((height, width, 3), BACKGROUND_BGR, np.uint8)
        self._patches, self._patch_fps = self._cut()

    def draw(self, time_s: float) -> ImageArray:
        """The picture at a time, (H, W, 3) uint8 BGR."""
        image = self._background.copy()
        for number, (x, y) in enumerate(self._centres):
            phase = 2.0 * math.pi * time_s / (7.0 + number) + number
            patch = self._patches[round(time_s * self._patch_fps + 11 * number) % len(self._patches)]
            height, width = patch.shape[:2]
            left = round(x - width / 2 + math.sin(phase) * (self._cell[0] - width) / 2)
            top = round(y - height / 2 + math.cos(phase) * (self._cell[1] - height) / 2)
            image[top : top + height, left : left + width] = patch
        return image

    def _cut(self) -> tuple[list[ImageArray], float]:
        reader = open_video(DEMO_CLIP)
        patches = []
        mask = _oval(self._patch_size)
        number = 0
        while decoded := reader.next():
            if number % EXPRESSION_STEP == 0:
                patches.append(self._patch(pixels(decoded[1]), mask))
            number += 1
        reader.close()
        return patches, (reader.fps or 25.0) / EXPRESSION_STEP

    def _patch(self, picture: ImageArray, mask: FloatArray) -> ImageArray:
        left, top, width, height = HEAD
        head = picture[top : top + height, left : left + width]
        scaled = cv2.resize(head, self._patch_size, interpolation=cv2.INTER_AREA)
        blended = scaled * mask + np.array(BACKGROUND_BGR, np.float32) * (1.0 - mask)
        return blended.astype(np.uint8)


def _grid(scene: Scene) -> tuple[int, int]:
    """Columns and rows of cells with about the shape of a head."""
    width, height = scene.size
    wanted = math.sqrt(scene.faces * (width / HEAD[2]) / (height / HEAD[3]))
    columns = max(1, min(scene.faces, math.ceil(wanted)))
    return columns, max(1, math.ceil(scene.faces / columns))


def _oval(size: tuple[int, int]) -> FloatArray:
    """(H, W, 1) in [0, 1]: 1 within an ellipse that fills the patch, soft at its edge."""
    x, y = np.meshgrid(np.linspace(-1.0, 1.0, size[0]), np.linspace(-1.0, 1.0, size[1]))
    distance = np.sqrt(x * x + y * y)
    return np.clip((1.0 - distance) / 0.08, 0.0, 1.0)[..., None].astype(np.float32)


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ConfigError(f"synthetic: {name}={text}: expected a number from {low:g} to {high:g}")
    return value


def _parse_faces(name: str, text: str) -> int:
    value = _number(name, text, 0, MOST_FACES)
    if not value.is_integer():
        raise ConfigError(f"synthetic: {name}={text}: expected a whole number")
    return int(value)


def _parse_fps(name: str, text: str) -> float:
    return _number(name, text, 1, 1000)


def _parse_seconds(name: str, text: str) -> float:
    return _number(name, text, 0.001, 1e6)


def _parse_size(name: str, text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"synthetic: {name}={text}: expected width x height in pixels, as in size=1280x720")
    return int(_number(name, width, 64, LARGEST_PX)), int(_number(name, height, 64, LARGEST_PX))


_PARTS: dict[str, Callable[[str, str], SceneValue]] = {
    "faces": _parse_faces,
    "fps": _parse_fps,
    "size": _parse_size,
    "seconds": _parse_seconds,
}
