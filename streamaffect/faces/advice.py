"""What would make a face's picture better: a sentence for whoever sits before the camera, and four traffic lights."""

import math

import cv2

from streamaffect.types import Face, FloatArray, ImageArray, Light, PictureLights, Quality

FAR, CUT, BLURRED = 0.5, 0.85, 0.35  # of `Quality`
DARK, BRIGHT = 45.0, 215.0  # mean grey of the face
TURNED = 0.45  # how far the nose stands off the middle of the eyes, in distances of the eyes
FAIR_DISTANCE, FAIR_CUT, FAIR_BLUR, FAIR_TURN = 0.75, 0.95, 0.5, 0.3  # the same, from where on it is well
FAIR_DARK, FAIR_BRIGHT = 65.0, 200.0

CLOSER = "come closer: the face is small"
INSIDE = "move into the picture: the face is cut off"
LIGHTER = "more light on the face: it is dark"
DARKER = "less light on the face: it is overexposed"
STILLER = "hold still or focus the camera: the face is blurred"
UPRIGHT = "hold the head upright: it cannot be told which way up the face is"
FRONT = "look at the camera: the face is turned away"


def brightness(crop: ImageArray) -> float:
    """Mean grey of a crop (S, S, 3) uint8 RGB, [0, 255]."""
    return cv2.mean(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY))[0]


def advise(grey: float, face: Face, quality: Quality) -> str | None:
    """The most pressing advice for a face whose crop has this `brightness`; None where the picture is good enough."""
    if quality.size < FAR:
        return CLOSER
    if quality.inside < CUT:
        return INSIDE
    if grey < DARK or grey > BRIGHT:
        return LIGHTER if grey < DARK else DARKER
    if quality.sharpness < BLURRED:
        return STILLER
    if face.doubtful:
        return UPRIGHT
    return FRONT if face.keypoints is not None and _is_turned(face.keypoints, face.box.w, face.box.h) else None


def lights(grey: float, face: Face, quality: Quality) -> PictureLights:
    """The four lights of the same face: poor is what `advise` may speak of, fair is close to it."""
    is_poor, is_fair = not DARK <= grey <= BRIGHT, not FAIR_DARK <= grey <= FAIR_BRIGHT
    turn = 0.0 if face.keypoints is None else _turn(face.keypoints, face.box.w, face.box.h)
    return PictureLights(
        light="poor" if is_poor else "fair" if is_fair else "good",
        distance=_worse(_light(quality.size, FAR, FAIR_DISTANCE), _light(quality.inside, CUT, FAIR_CUT)),
        blur=_light(quality.sharpness, BLURRED, FAIR_BLUR),
        pose="poor" if face.doubtful else _light(-turn, -TURNED, -FAIR_TURN),
    )


def _light(value: float, poor: float, fair: float) -> Light:
    return "poor" if value < poor else "fair" if value < fair else "good"


def _worse(one: Light, other: Light) -> Light:
    order: tuple[Light, ...] = ("poor", "fair", "good")
    return min(one, other, key=order.index)


def _is_turned(keypoints: FloatArray, width: float, height: float) -> bool:
    return _turn(keypoints, width, height) > TURNED


def _turn(keypoints: FloatArray, width: float, height: float) -> float:
    """keypoints (6, 2), the first of which are right eye, left eye and nose tip; counted in sides of the box."""
    width, height = max(width, 1e-6), max(height, 1e-6)
    (right_x, right_y), (left_x, left_y), (nose_x, nose_y) = (
        (x / width, y / height) for x, y in keypoints[:3].tolist()
    )
    across, down = left_x - right_x, left_y - right_y
    apart = math.hypot(across, down)
    if apart < 1e-3:
        return math.inf
    off = (nose_x - (right_x + left_x) / 2) * across + (nose_y - (right_y + left_y) / 2) * down
    return float(abs(off / apart**2))
