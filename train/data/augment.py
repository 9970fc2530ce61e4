"""Random changes that make a clean still look like a face before a webcam.

A `View` is one draw; applying it to every frame of a sequence keeps the sequence consistent.
"""

from dataclasses import dataclass

import cv2
import msgspec
import numpy as np

from streamaffect.types import ImageArray

Generator = np.random.Generator


class AugmentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far pictures are changed, and how often.

    rotation_deg, scale, shift: largest turn, relative zoom (0.2: 1/1.2 to 1.2) and move (share of the side)
    contrast, gamma, saturation: largest relative change; brightness: share of the range
    blur, shrink, compress, noise, dark, hide: probability of each
    """

    rotation_deg: float = 20.0
    scale: float = 0.22
    shift: float = 0.1
    contrast: float = 0.35
    brightness: float = 0.15
    gamma: float = 0.5
    blur: float = 0.2
    shrink: float = 0.25
    compress: float = 0.3
    noise: float = 0.25
    dark: float = 0.1
    hide: float = 0.2
    saturation: float = 0.2


@dataclass(frozen=True, slots=True)
class View:
    """One draw of all changes; None leaves a step out.

    matrix:    (2, 3) from the unit square of the output to that of the picture
    tones:     (256,) uint8 look-up table of grey levels
    blur_px:   standard deviation in output pixels
    shrink_px: side to which the picture is reduced before it is enlarged again
    jpeg:      quality
    noise:     standard deviation in grey levels
    hidden:    x, y, width, height as shares, and the grey level that covers them
    saturation: factor on the difference from grey, of pictures in colour
    """

    matrix: np.ndarray
    tones: ImageArray
    blur_px: float | None
    shrink_px: int | None
    jpeg: int | None
    noise: float | None
    hidden: tuple[float, float, float, float, int] | None
    saturation: float = 1.0


def draw_view(config: AugmentConfig, generator: Generator, *, shown: float) -> View:
    """Draw one change of everything. shown: share of the picture's side that an unchanged crop would show."""
    happens = generator.random(6)
    return View(
        matrix=_placement(config, generator, shown),
        tones=_tones(config, generator, is_dark=bool(happens[0] < config.dark)),
        blur_px=generator.uniform(0.4, 1.6) if happens[1] < config.blur else None,
        shrink_px=int(generator.integers(18, 48)) if happens[2] < config.shrink else None,
        jpeg=int(generator.integers(15, 80)) if happens[3] < config.compress else None,
        noise=generator.uniform(2, 14) if happens[4] < config.noise else None,
        hidden=_occlusion(generator) if happens[5] < config.hide else None,
        saturation=float((1 + config.saturation) ** generator.uniform(-1, 1)),
    )


def apply_view(picture: ImageArray, view: View, size: int, generator: Generator) -> ImageArray:
    """picture (H, W) grey → (size, size), or (H, W, 3) RGB → (size, size, 3), changed.

    `generator` only draws the noise of this frame.
    """
    out = place(picture, view.matrix, size)
    out = np.asarray(cv2.LUT(out, view.tones), np.uint8)
    if out.ndim == 3:
        grey = np.asarray(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), np.float32)[..., None]
        out = (grey + view.saturation * (out - grey)).clip(0, 255).astype(np.uint8)
    if view.hidden is not None:
        _cover(out, view.hidden)
    if view.blur_px is not None:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), view.blur_px), np.uint8)
    if view.shrink_px is not None:
        small = cv2.resize(out, (view.shrink_px, view.shrink_px), interpolation=cv2.INTER_AREA)
        out = np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    if view.noise is not None:
        noisy = out + view.noise * generator.standard_normal(out.shape, np.float32)
        out = noisy.clip(0, 255).astype(np.uint8)
    if view.jpeg is not None:
        out = _compressed(out, view.jpeg)
    return out


def place(picture: ImageArray, matrix: np.ndarray, size: int) -> ImageArray:
    """picture (H, W, …) → (size, size, …), sampled where `matrix` (2, 3, unit squares) says; the border is repeated."""
    height, width = picture.shape[:2]
    zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    while zoom * min(height, width) >= 2 * size:  # bilinear sampling would skip pixels
        picture = np.asarray(cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
        height, width = picture.shape[:2]
    # Pixel centres lie at half-integers of the unit squares' coordinates.
    linear = matrix[:, :2] * np.array([[width], [height]]) / size
    offset = matrix[:, 2] * (width, height) + linear.sum(axis=1) * 0.5 - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    to_source = np.column_stack([linear, offset])
    out = cv2.warpAffine(picture, to_source, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def plain(shown: float, *, mirrored: bool) -> np.ndarray:
    """The matrix that cuts the middle of a picture unchanged, or its mirror image."""
    across = -shown if mirrored else shown
    return np.array([[across, 0.0, (1 - across) / 2], [0.0, shown, (1 - shown) / 2]])


def jitter(matrix: np.ndarray, generator: Generator) -> np.ndarray:
    """The placement moved, scaled and turned as much as a tracked box moves between frames of a still face."""
    angle, growth = generator.normal(0, 0.015), np.exp(generator.normal(0, 0.012))
    cos, sin = np.cos(angle) * growth, np.sin(angle) * growth
    turn = np.array([[cos, -sin], [sin, cos]])
    middle = np.array([0.5, 0.5])
    moved = middle - turn @ middle + generator.normal(0, 0.01, 2)
    return np.column_stack([matrix[:, :2] @ turn, matrix[:, :2] @ moved + matrix[:, 2]])


def _placement(config: AugmentConfig, generator: Generator, shown: float) -> np.ndarray:
    angle = np.deg2rad(generator.uniform(-config.rotation_deg, config.rotation_deg))
    zoom = shown * (1 + config.scale) ** generator.uniform(-1, 1)
    stretch = 1.08 ** generator.uniform(-1, 1)
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    linear = np.array([[cos * stretch, -sin * stretch], [sin / stretch, cos / stretch]])
    if generator.random() < 0.5:
        linear[:, 0] *= -1
    shift = shown * generator.uniform(-config.shift, config.shift, 2)
    middle = np.array([0.5, 0.5])
    return np.column_stack([linear, middle + shift - linear @ middle])


def _tones(config: AugmentConfig, generator: Generator, *, is_dark: bool) -> ImageArray:
    """Gamma, contrast and brightness as one look-up table; low light crushes the range before the sensor rounds it."""
    level = np.linspace(0, 1, 256)
    gamma = (1 + config.gamma) ** generator.uniform(-1, 1)
    contrast = (1 + config.contrast) ** generator.uniform(-1, 1)
    brightness = generator.uniform(-config.brightness, config.brightness)
    out = (level**gamma - 0.5) * contrast + 0.5 + brightness
    if is_dark:
        out = out * generator.uniform(0.12, 0.5)
    return np.asarray((out * 255).clip(0, 255), np.uint8)


def _occlusion(generator: Generator) -> tuple[float, float, float, float, int]:
    """A patch anywhere, or a band over the lower face or one side, of a single grey level."""
    grey = int(generator.integers(0, 256))
    kind = generator.random()
    if kind < 0.6:
        width, height = generator.uniform(0.12, 0.4, 2)
        return generator.uniform(0, 1 - width), generator.uniform(0, 1 - height), width, height, grey
    depth = generator.uniform(0.1, 0.35)
    if kind < 0.8:
        return 0.0, 1 - depth, 1.0, depth, grey
    return (0.0 if kind < 0.9 else 1 - depth), 0.0, depth, 1.0, grey


def _compressed(picture: ImageArray, quality: int) -> ImageArray:
    options, is_grey = (cv2.IMWRITE_JPEG_QUALITY, quality), picture.ndim == 2
    _, data = cv2.imencode(".jpg", picture if is_grey else picture[..., ::-1], options)  # OpenCV writes BGR
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if is_grey else cv2.IMREAD_COLOR_RGB), np.uint8)


def _cover(picture: ImageArray, hidden: tuple[float, float, float, float, int]) -> None:
    x, y, width, height, grey = hidden
    side = picture.shape[0]
    left, top = int(x * side), int(y * side)
    picture[top : top + round(height * side), left : left + round(width * side)] = grey
