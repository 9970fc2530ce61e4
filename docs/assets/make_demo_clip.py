"""Make the demo clip: NASA's portrait of Eileen Collins, animated so that the expression changes.

    pip install scikit-image && python docs/assets/make_demo_clip.py streamaffect/assets/demo.mp4

The portrait (public domain, in scikit-image as `data.astronaut`) shows a smile. Thin-plate splines through face
landmarks bend it into a neutral, a sad and a surprised face and back, the head moves slightly, and the last frame
leads into the first. The splines run backwards, from the picture that is made to the portrait, so that every pixel
gets a colour. Upper and lower lip have a spline each: between them the mouth opens or shuts, and what is seen inside
is painted from the portrait's own teeth.

It takes some minutes. All coordinates are pixels of the portrait (512 x 512), x to the right and y down.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]

WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 25, 10
# MPEG-4 part 2: every OpenCV wheel writes and reads it.
CODEC = "mp4v"

# The part of the portrait that the clip shows, and pixels of the clip per pixel of the portrait.
VIEW_CENTRE, VIEW_SCALE = np.array([226.0, 121.0]), 1.62
TILT = np.radians(3.05)
FACE_CENTRE = np.array([223.5, 125.0])
NECK = np.array([222.0, 190.0])

# The part of the portrait that is bent, and pixels of the bent picture per pixel of the portrait.
REGION_X, REGION_Y = (12, 440), (0, 250)
DETAIL = 3

# Pixels by which each lip covers the line where they meet: the landmarks of the smile lie partly on the teeth.
OVERLAP = 1.0
# Half the height of the dark line between shut lips.
LINE = 0.25

# Found once with MediaPipe's face landmarker; the names say what each group outlines.
LANDMARKS = Path(__file__).with_name("demo_landmarks.json")

# Fixed points around the head, so that only the face bends.
ANCHORS = [(150, 60), (150, 100), (150, 140), (170, 180), (195, 192), (222, 196), (250, 194), (275, 180)]
ANCHORS += [(305, 140), (305, 100), (300, 60), (270, 25), (225, 12), (180, 25), (0, 0), (450, 0), (0, 260), (450, 260)]


# The folds that the smile draws from the nose around the corners of the mouth; a resting face does not have them.
FOLDS = (
    ((207, 124), (203, 128.5), (199, 131.5), (196.5, 135), (195.5, 139), (196.5, 143), (199, 147.5)),
    ((238, 122.5), (243, 130), (247.5, 134.5), (249.5, 138), (249.5, 142), (248, 145), (244.5, 150.5)),
)


@dataclass(frozen=True)
class Expression:
    """What the face does; all zero is the neutral face, `smile=1` the portrait as it is.

    smile:      share of the portrait's own mouth and cheeks
    drop:       pixels by which the corners of the mouth hang below its middle
    lift:       pixels by which chin and lower lip are pushed up
    jaw:        pixels by which the jaw hangs open
    narrow:     share by which the mouth is narrower than at rest
    brow_raise: pixels by which both brows rise; brow_inner: their inner ends on top; brow_knit: towards each other
    lids:       pixels by which the upper lids rise; negative lowers them
    """

    smile: float = 0.0
    drop: float = 0.0
    lift: float = 0.0
    jaw: float = 0.0
    narrow: float = 0.0
    brow_raise: float = 0.0
    brow_inner: float = 0.0
    brow_knit: float = 0.0
    lids: float = 0.0

    def towards(self, other: "Expression", share: float) -> "Expression":
        """The expression that lies `share` of the way to `other`."""
        mixed = {name: (1 - share) * value + share * getattr(other, name) for name, value in vars(self).items()}
        return Expression(**mixed)


NEUTRAL = Expression(drop=3.0, brow_raise=-0.5, lids=-1.2)
SAD = Expression(drop=7.0, lift=1.2, narrow=0.04, brow_raise=-1.5, brow_inner=5.5, brow_knit=3.0, lids=-3.0)
SMILE = Expression(smile=1.0)
SURPRISE = Expression(jaw=10.0, narrow=0.22, brow_raise=5.0, lids=1.5)

# Seconds at which each expression is reached and left.
TIMELINE = [
    (0.0, 0.5, NEUTRAL),
    (1.5, 3.0, SAD),
    (4.3, 6.3, SMILE),
    (7.3, 8.3, SURPRISE),
    (9.3, 10.0, NEUTRAL),
]


def expression_at(time_s: float) -> Expression:
    """The expression at a time of the clip, with soft transitions."""
    current = TIMELINE[-1][2]
    for (_, left_s, before), (reached_s, _, after) in pairwise(TIMELINE):
        if time_s >= left_s:
            share = min(1.0, (time_s - left_s) / (reached_s - left_s))
            current = before.towards(after, share * share * (3 - 2 * share))
    if time_s < TIMELINE[0][1]:
        current = TIMELINE[0][2]
    return current


def upright(points: Array) -> Array:
    """Points turned about the face's centre so that the eyes are level."""
    return np.asarray((points - FACE_CENTRE) @ _rotation(-TILT).T + FACE_CENTRE)


def tilted(points: Array) -> Array:
    """The inverse of `upright`."""
    return np.asarray((points - FACE_CENTRE) @ _rotation(TILT).T + FACE_CENTRE)


def _rotation(angle: float) -> Array:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@dataclass(frozen=True)
class Face:
    """Landmarks of one expression by group, upright, each (N, 2)."""

    groups: dict[str, Array]

    def points(self, *, without: str) -> Array:
        """All landmarks except those of one lip, then the anchors."""
        chosen = [points for name, points in self.groups.items() if not name.startswith(without)]
        return np.concatenate([*chosen, upright(np.array(ANCHORS, float))])


def portrait_face() -> Face:
    """The landmarks as the portrait shows them."""
    groups = json.loads(LANDMARKS.read_text(encoding="utf-8"))
    return Face({name: upright(np.array(points)) for name, points in groups.items()})


def pose(face: Face, expression: Expression) -> Face:
    """The portrait's landmarks moved to where `expression` has them."""
    moved = {name: points.copy() for name, points in face.groups.items()}
    rest = 1.0 - expression.smile
    _pose_mouth(moved, expression, rest)
    _pose_lower_face(face, moved, expression, rest)
    _pose_eyes(moved, expression, rest)
    for side, name in ((-1, "brow_left"), (1, "brow_right")):
        brow = moved[name]
        inner = 1.0 - (np.abs(brow[:, 0] - FACE_CENTRE[0]) - 12.0) / 24.0
        brow[:, 1] -= expression.brow_raise + expression.brow_inner * np.clip(inner, 0.0, 1.0)
        brow[:, 0] -= side * expression.brow_knit * np.clip(inner, 0.0, 1.0)
    return Face(moved)


def _pose_mouth(moved: dict[str, Array], expression: Expression, rest: float) -> None:
    corners = moved["lip_upper_outer"][[0, -1]]
    middle_x, half = corners[:, 0].mean(), np.ptp(corners[:, 0]) / 2
    line_y = 146.0 - expression.lift + 0.3 * expression.jaw
    rows = {
        "lip_upper_outer": (-3.6, -0.25),
        "lip_upper_inner": (OVERLAP, -0.2),
        "lip_lower_inner": (-OVERLAP, 0.75),
        "lip_lower_outer": (5.6, 0.75),
    }
    for name, (thickness, opening) in rows.items():
        points = moved[name]
        u = np.clip((points[:, 0] - middle_x) / half, -1.0, 1.0)
        arch = np.sqrt(1.0 - u**2)
        x = middle_x + u * half * 0.84 * (1.0 - expression.narrow)
        y = line_y + expression.drop * np.abs(u) ** 2.2 + arch * (thickness + opening * expression.jaw)
        points += rest * (np.stack([x, y], axis=1) - points)


def _pose_lower_face(face: Face, moved: dict[str, Array], expression: Expression, rest: float) -> None:
    for side in (0, -1):
        corner = moved["lip_upper_outer"][side] - face.groups["lip_upper_outer"][side]
        fold = moved["fold"][0 if side == 0 else 1 :: 2]
        fold += corner * np.array([[0.45, 0.45], [0.3, 0.3], [0.75, 0.75]])
    cheek = moved["cheek"]
    cheek[:, 1] += rest * 2.2
    cheek[:, 0] += rest * 1.0 * np.sign(FACE_CENTRE[0] - cheek[:, 0])
    jaw = expression.jaw * 0.8 - expression.lift * 0.6
    moved["chin"][:, 1] += jaw + rest * np.array([-0.8, -0.4, 0.0, 0.0])
    oval = moved["oval"]
    oval[:, 1] += jaw * np.clip((oval[:, 1] - 140.0) / 35.0, 0.0, 1.0) ** 1.5


def _pose_eyes(moved: dict[str, Array], expression: Expression, rest: float) -> None:
    upper, lower = moved["lid_upper"], moved["lid_lower"]
    opened = rest * 0.5
    arch = np.concatenate([np.sin(np.linspace(0.5, np.pi - 0.5, 7))] * 2)
    upper[:, 1] -= (expression.lids + opened) * arch
    lower[:, 1] += opened * arch


def spline(at: Array, values: Array) -> Callable[[Array], Array]:
    """The thin-plate spline through `values` (N, 2) at the points `at` (N, 2)."""
    count = len(at)
    affine = np.concatenate([np.ones((count, 1)), at], axis=1)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _plate(at, at) + 0.5 * np.eye(count)
    system[:count, count:] = affine
    system[count:, :count] = affine.T
    weights = np.linalg.lstsq(system, np.concatenate([values, np.zeros((3, 2))]), rcond=None)[0]

    def evaluate(points: Array) -> Array:
        linear = np.concatenate([np.ones((len(points), 1)), points], axis=1) @ weights[count:]
        return np.asarray(_plate(points, at) @ weights[:count] + linear)

    return evaluate


def _plate(a: Array, b: Array) -> Array:
    squared = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    return np.asarray(squared * np.log(squared + 1e-9))


class Portrait:
    """The portrait as it can be bent: its picture, its landmarks and the grid on which the splines are evaluated."""

    def __init__(self) -> None:
        astronaut: Callable[[], Image] = skimage.data.astronaut
        self.picture = np.ascontiguousarray(astronaut()[..., ::-1])
        self.unfolded = _without_folds(self.picture)
        self.face = portrait_face()
        columns, rows = np.arange(*REGION_X, 4.0), np.arange(*REGION_Y, 4.0)
        self._grid_shape = (len(rows), len(columns))
        self._grid = upright(np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2))
        self._pixels = _pixel_positions(columns, rows)

    def bend(self, expression: Expression) -> Image:
        """The region around the head with another expression, `DETAIL` times as large as in the portrait."""
        face = pose(self.face, expression)
        upper = self._sources(face, without="lip_lower")
        lower = self._sources(face, without="lip_upper")
        below = self._below_mouth(face)[..., None]
        sources = tilted(upper * (1.0 - below) + lower * below).astype(np.float32)
        texture = cv2.addWeighted(self.picture, expression.smile, self.unfolded, 1.0 - expression.smile, 0.0)
        skin = cv2.remap(texture, sources[..., 0], sources[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        return self._paint_mouth(skin.astype(np.float64), face, expression)

    def _sources(self, face: Face, *, without: str) -> Array:
        """For every pixel of the region, the upright position in the portrait that it shows."""
        at = face.points(without=without)
        shift = spline(at, self.face.points(without=without) - at)(self._grid)
        shift = shift.reshape(*self._grid_shape, 2).astype(np.float32)
        height, width = self._pixels.shape[:2]
        # Grid points are 4 portrait pixels apart; resize takes samples as centres of cells, hence the explicit map.
        x, y = np.meshgrid(np.arange(width) / (4 * DETAIL), np.arange(height) / (4 * DETAIL))
        smooth = cv2.remap(shift, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
        return upright(self._pixels) + smooth

    def _below_mouth(self, face: Face) -> Array:
        """Share in [0, 1] to which a pixel follows the lower lip: a sharp step in the mouth, a soft one beside it."""
        line = (face.groups["lip_upper_inner"] + face.groups["lip_lower_inner"]) / 2
        positions = upright(self._pixels)
        x, y = positions[..., 0], positions[..., 1]
        outside = np.maximum(0.0, np.maximum(line[0, 0] - x, x - line[-1, 0]))
        softness = 0.25 + 0.5 * outside
        step = (y - np.interp(x, line[:, 0], line[:, 1])) / softness
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(step, -30.0, 30.0))))

    def _paint_mouth(self, skin: Array, face: Face, expression: Expression) -> Image:
        """Put the inside of the mouth between the lips: the portrait's teeth, hung from the upper lip, or darkness."""
        opening = self._mask(_outline(face))
        moved = face.groups["lip_upper_inner"][5] - self.face.groups["lip_upper_inner"][5]
        sources = tilted(upright(self._pixels) - moved).astype(np.float32)
        teeth = cv2.remap(self.picture, sources[..., 0], sources[..., 1], cv2.INTER_CUBIC)
        visible = self._mask(_outline(self.face) + moved) * expression.smile
        dark = np.array([26.0, 23.0, 48.0])
        inside = dark + visible[..., None] * (teeth - dark)
        painted: Image = np.clip(skin + opening[..., None] * (inside - skin), 0, 255).astype(np.uint8)
        return painted

    def _mask(self, outline: Array) -> Array:
        corners = (tilted(outline) - [REGION_X[0], REGION_Y[0]]) * DETAIL
        mask = np.zeros(self._pixels.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
        return cv2.GaussianBlur(mask, (0, 0), 1.2).astype(np.float64) / 255


def _without_folds(picture: Image) -> Image:
    mask = np.zeros(picture.shape[:2], np.uint8)
    for fold in FOLDS:
        cv2.polylines(mask, [np.round(np.array(fold)).astype(np.int32)], isClosed=False, color=255, thickness=4)
    filled = cv2.inpaint(picture, mask, 4, cv2.INPAINT_TELEA)
    share = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None] / 255
    return (picture + share * (filled.astype(np.float64) - picture)).astype(np.uint8)


def _outline(face: Face) -> Array:
    upper, lower = face.groups["lip_upper_inner"], face.groups["lip_lower_inner"]
    middle = (upper + lower) / 2
    half = np.maximum((lower - upper) / 2, [-np.inf, LINE])
    return np.concatenate([middle - half, (middle + half)[::-1]])


def _pixel_positions(columns: Array, rows: Array) -> Array:
    x = columns[0] + np.arange(4 * DETAIL * (len(columns) - 1)) / DETAIL
    y = rows[0] + np.arange(4 * DETAIL * (len(rows) - 1)) / DETAIL
    return np.stack(np.meshgrid(x, y), axis=-1)


def view(picture: Image, time_s: float) -> Image:
    """The clip's picture at a time: the bent region seen by a camera, with the head moving a little."""
    turn = 2 * np.pi * time_s / SECONDS
    x, y = np.meshgrid(np.arange(WIDTH) - WIDTH / 2, np.arange(HEIGHT) - HEIGHT / 2)
    at = VIEW_CENTRE + np.stack([x, y], axis=-1) / VIEW_SCALE
    head = _bump(at, centre=(226, 100), radius=(88, 100), plateau=0.55)
    angle = np.radians(3.0 * np.sin(turn) + 1.2 * np.sin(3 * turn))
    sway = np.array([3.0 * np.sin(turn + 0.6), 1.6 * np.sin(2 * turn)])
    source = at + head[..., None] * ((at - NECK) @ _rotation(-angle).T + NECK - sway - at)
    face = _bump(source, centre=(224, 125), radius=(46, 56), plateau=0.0)
    source += face[..., None] * [2.2 * np.sin(turn + 2.0), 1.8 * np.sin(2 * turn + 1.0)]
    where = ((source - [REGION_X[0], REGION_Y[0]]) * DETAIL).astype(np.float32)
    softened = cv2.GaussianBlur(picture, (0, 0), 0.6)
    seen = cv2.remap(softened, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen, dtype=np.uint8)


def _bump(at: Array, *, centre: tuple[int, int], radius: tuple[int, int], plateau: float) -> Array:
    """1 within `plateau` of an ellipse, falling smoothly to 0 at its edge."""
    distance = np.linalg.norm((at - centre) / radius, axis=-1)
    share = np.clip((1.0 - distance) / (1.0 - plateau), 0.0, 1.0)
    return np.asarray(share * share * (3 - 2 * share))


def main() -> None:
    """Write the clip."""
    parser = argparse.ArgumentParser(description="Make the demo clip from NASA's portrait of Eileen Collins.")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    portrait = Portrait()
    writer = cv2.VideoWriter(str(arguments.output), cv2.VideoWriter.fourcc(*CODEC), FPS, (WIDTH, HEIGHT))
    for index in range(FPS * SECONDS):
        time_s = index / FPS
        writer.write(view(portrait.bend(expression_at(time_s)), time_s))
    writer.release()


if __name__ == "__main__":
    main()
