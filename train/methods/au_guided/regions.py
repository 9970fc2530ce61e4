"""Where an expression shows in a face: heat maps of action units, drawn from 68 landmarks.

Belharbi et al., "Guided Interpretable Facial Expression Recognition via Spatial Action Unit Cues", FG 2024. A codebook
gives the action units of an expression and a region of the face for each; `au_alignment_loss` draws the
attention of a network to these regions. No annotation beyond the expression's label is needed.

Landmarks are the 68 points of iBUG 300-W, counted from 0, in pixels of the picture that the network sees.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...data.drawn_faces import EXPRESSIONS, LANDMARKS

GENERIC = "generic"
CODEBOOK: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "Surprise": (0, 1, 3, 16, 18),
        "Fear": (0, 1, 2, 3, 12, 15, 16, 18),
        "Disgust": (6, 3, 19, 11, 15, 16),
        "Sadness": (0, 2, 4, 10, 11),
        "Happiness": (4, 8, 15),
        "Anger": (2, 3, 5, 7, 11, 13, 14, 15, 16),
        "Neutral": (),
        GENERIC: tuple(range(20)),
    }
)
BACKGROUND, DRAWN = 1e-4, 255.0
GRID = 28  # side of the map on which a unit is blurred
PUBLISHED_WIDTH = 224  # of the pictures that the published pixel radii were made for

Canvas = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An upright ellipse in pixels."""

    x: int
    y: int
    half_width: int
    half_height: int


@dataclass(frozen=True, slots=True)
class Face:
    """The landmarks of one picture and how lengths in it are meant.

    x, y:      68 whole pixels each
    scale:     factor on the published radii, which are pixels of no stated picture size
    reference: keep the sign of the chin's width
    """

    x: Sequence[int]
    y: Sequence[int]
    width: int
    height: int
    scale: float
    reference: bool

    def pixels(self, published: int) -> int:
        """A published radius in pixels of this picture, at least 1."""
        return published if self.scale == 1 else max(1, round(published * self.scale))

    def at(self, point: int, half_width: int, half_height: int) -> Ellipse:
        """An ellipse about a landmark."""
        return Ellipse(self.x[point], self.y[point], half_width, half_height)

    def circle(self, x: int, y: int) -> Ellipse:
        """A circle of the published radius of 20."""
        radius = self.pixels(20)
        return Ellipse(x, y, radius, radius)

    def box(self, left: int, right: int, top: int, bottom: int, *, guard: int, taller: int = 0) -> Ellipse:
        """The ellipse in the box between the x of two landmarks and the y of two; half axes of 0 become `guard`."""
        half_width = _half(max(0, self.x[right] - self.x[left]))
        half_height = _half(max(0, self.y[bottom] - self.y[top]) + taller)
        return Ellipse(
            _half(self.x[left] + self.x[right]),
            _half(self.y[top] + self.y[bottom]),
            half_width or guard,
            half_height or guard,
        )


def heatmap(
    landmarks: Tensor,
    expression: str | int | Tensor,
    height: int,
    width: int,
    *,
    reference: bool = False,
    scale_radii: bool = False,
) -> Tensor:
    """Where the action units of an expression lie in a face: landmarks (68, 2) of x, y → (height, width) float32.

    Values from 0 to 1. All infinite, which `au_alignment_loss` leaves out: for Neutral, for landmarks that are not
    finite (no face was found), and where no unit lies inside the picture.

    expression:  a name of `EXPRESSIONS` or its number there, or "generic": all units, which needs no label
    reference:   the chin's region keeps the sign of its width, so a turned head falls back to a small one
    scale_radii: published radii are pixels whatever the size of the picture; scale them with width / 224

    Raises ValueError on other shapes and on an unknown expression.
    """
    if landmarks.shape != (LANDMARKS, 2):
        raise ValueError(f"expected {LANDMARKS} landmarks (x, y), found {tuple(landmarks.shape)}")
    if not isinstance(expression, str):
        expression = _expression_name(int(expression))
    if expression not in CODEBOOK:
        raise ValueError(f"no action units are known for '{expression}'; choose one of {', '.join(CODEBOOK)}")
    nothing = torch.full((height, width), torch.inf)
    if not landmarks.isfinite().all():
        return nothing
    face = read_face(landmarks, height, width, reference=reference, scale_radii=scale_radii)
    strongest = strongest_units(face, CODEBOOK[expression])
    if strongest is None:
        return nothing
    spread = strongest.max() - strongest.min()
    return torch.from_numpy(((strongest - strongest.min()) / (spread or 1.0)).astype(np.float32))


def heatmaps(
    landmarks: Tensor, labels: Tensor, *, height: int, width: int, reference: bool = False, scale_radii: bool = False
) -> Tensor:
    """`heatmap` for a batch: landmarks (B, 68, 2), labels (B,) numbers in `EXPRESSIONS` → (B, 1, height, width)."""
    maps = [
        heatmap(points, label, height, width, reference=reference, scale_radii=scale_radii)
        for points, label in zip(landmarks, labels, strict=True)
    ]
    return torch.stack(maps).unsqueeze(1)


def strongest_units(face: Face, units: Sequence[int]) -> Canvas | None:
    """The largest of the blurred regions of some units: (height, width), 1e-4 to 255; None if none is inside."""
    regions = [region for unit in units if (region := unit_map(face, unit)) is not None]
    if not regions:
        return None
    return np.asarray(np.max([_blurred(region, face.height, face.width) for region in regions], axis=0))


def unit_map(face: Face, unit: int) -> Canvas | None:
    """The region of one unit before blurring, (28, 28) from 1e-4 to 255; None if it lies outside the picture."""
    canvas = np.full((face.height, face.width), BACKGROUND, np.float64)
    for ellipse in _REGIONS[unit](face):
        centre, axes = (ellipse.x, ellipse.y), (ellipse.half_width, ellipse.half_height)
        cv2.ellipse(canvas, centre, axes, angle=0, startAngle=0, endAngle=360, color=DRAWN, thickness=cv2.FILLED)
    return np.asarray(cv2.resize(canvas, (GRID, GRID))) if canvas.max() > BACKGROUND else None


def read_face(landmarks: Tensor, height: int, width: int, *, reference: bool, scale_radii: bool) -> Face:
    """Finite landmarks (68, 2) of x, y, cut to whole pixels."""
    x, y = (column.tolist() for column in landmarks.long().T)  # truncates toward 0
    return Face(x, y, width, height, width / PUBLISHED_WIDTH if scale_radii else 1.0, reference)


def _expression_name(number: int) -> str:
    if not 0 <= number < len(EXPRESSIONS):
        raise ValueError(f"an expression's number lies in 0 to {len(EXPRESSIONS) - 1}, found {number}")
    return EXPRESSIONS[number]


def _blurred(region: Canvas, height: int, width: int) -> Canvas:
    return np.asarray(cv2.resize(cv2.blur(region, (3, 3)), (width, height)))


def _half(length: int) -> int:
    """Half a length in whole pixels, toward 0."""
    return int(length / 2)


def _inner_brow(face: Face) -> list[Ellipse]:
    return [face.at(point, round(face.width / 8), round(face.height / 10)) for point in (20, 23)]


def _outer_brow(face: Face) -> list[Ellipse]:
    return [face.at(point, round(face.width / 8), round(face.height / 10)) for point in (18, 25)]


def _between_brows(face: Face) -> list[Ellipse]:
    # Level brows differ by no pixel in height, so the fallback of 10 is the rule rather than the exception.
    return [face.box(19, 24, 19, 24, guard=face.pixels(10))]


def _eyelids(face: Face) -> list[Ellipse]:
    guard = face.pixels(5)
    return [face.box(36, 39, 38, 41, guard=guard), face.box(42, 45, 44, 47, guard=guard)]


def _tight_eyelids(face: Face) -> list[Ellipse]:
    guard, taller = face.pixels(5), face.pixels(20)
    return [
        face.box(36, 39, 38, 41, guard=guard, taller=taller),
        face.box(42, 45, 44, 47, guard=guard, taller=taller),
    ]


def _closed_eyes(face: Face) -> list[Ellipse]:
    taller = face.pixels(20)
    return [face.box(36, 39, 38, 41, guard=0, taller=taller), face.box(42, 45, 44, 47, guard=0, taller=taller)]


def _cheeks(face: Face) -> list[Ellipse]:
    below, half_width, half_height = round(face.height / 6), round(face.width / 10), round(face.height / 10)
    return [Ellipse(face.x[point], face.y[point] + below, half_width, half_height) for point in (41, 46)]


def _nose(face: Face) -> list[Ellipse]:
    return [face.circle(face.x[31], face.y[29]), face.circle(face.x[35], face.y[29])]


def _upper_lip(face: Face) -> list[Ellipse]:
    # Published: one side at the height of point 50, the other at that of 54.
    return [face.circle(face.x[48], face.y[50]), face.circle(face.x[52], face.y[54])]


def _lip_corners(face: Face) -> list[Ellipse]:
    return [face.circle(face.x[48], face.y[48]), face.circle(face.x[54], face.y[54])]


def _dimples(face: Face) -> list[Ellipse]:
    aside = face.pixels(20)
    right = min(face.x[54] + aside, face.width)
    return [face.circle(max(face.x[48] - aside, 0), face.y[48]), face.circle(right, face.y[54])]


def _chin(face: Face) -> list[Ellipse]:
    guard = face.pixels(5)
    width = face.x[8] - face.x[59]
    region = face.box(59, 8, 59, 8, guard=guard)
    if face.reference or width >= 0:
        return [region]
    return [Ellipse(region.x, region.y, _half(-width) or guard, region.half_height)]


def _stretched_lips(face: Face) -> list[Ellipse]:
    # Published: 48 on one side, but 50 in place of its mirror image 54 on the other.
    return [
        face.circle(_half(face.x[lip] + face.x[jaw]), _half(face.y[lip] + face.y[jaw]))
        for lip, jaw in ((48, 6), (50, 10))
    ]


def _mouth(face: Face) -> list[Ellipse]:
    return [face.box(48, 54, 51, 57, guard=face.pixels(5))]


def _parted_lips(face: Face) -> list[Ellipse]:
    return [face.at(point, face.pixels(25), face.pixels(10)) for point in (51, 57)]


def _lower_lip(face: Face) -> list[Ellipse]:
    return [face.circle(face.x[point], face.y[point]) for point in (59, 55)]


_REGIONS: tuple[Callable[[Face], list[Ellipse]], ...] = (
    _inner_brow,
    _outer_brow,
    _between_brows,
    _eyelids,
    _cheeks,
    _tight_eyelids,
    _nose,
    _upper_lip,
    _lip_corners,
    _dimples,
    _lip_corners,
    _chin,
    _stretched_lips,
    _mouth,
    _mouth,
    _parted_lips,
    _mouth,
    _closed_eyes,
    _mouth,
    _lower_lip,
)
