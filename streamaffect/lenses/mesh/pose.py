"""How a head is turned, and how far its eyes are open, from what the landmarker finds."""

import math
from typing import NamedTuple

import numpy as np

from streamaffect.types import FloatArray

# Of the person's eyes, corners and two pairs of points of the lids: Soukupová and Čech (2016), figure 1.
LEFT_EYE = (362, 385, 387, 263, 373, 380)
RIGHT_EYE = (33, 160, 158, 133, 153, 144)


class Pose(NamedTuple):
    """Angles of a head in degrees, all 0 for one that looks into the camera.

    pitch: the nose points up; yaw: it points to the right of the picture; roll: the head is tilted clockwise there
    """

    pitch: float
    yaw: float
    roll: float


def head_pose(rotation: FloatArray, *, tilt: float) -> Pose:
    """rotation: as in `Landmarks`, of a square that was cut at an angle of `tilt` radians, clockwise.

    R = Rz Ry Rx, so that the tilt adds to the roll alone.
    """
    across = math.hypot(float(rotation[2, 1]), float(rotation[2, 2]))
    pitch = math.atan2(float(rotation[2, 1]), float(rotation[2, 2]))
    yaw = math.atan2(-float(rotation[2, 0]), across)
    roll = math.atan2(float(rotation[1, 0]), float(rotation[0, 0]))
    return Pose(-math.degrees(pitch), math.degrees(yaw), _wrapped(math.degrees(tilt - roll)))


def eye_openness(points: FloatArray, eye: tuple[int, ...]) -> float:
    """The eye aspect ratio: height over width, about 0.3 for an open eye and below 0.15 for a closed one.

    points: (478, 3), in which a unit is as long to the right as down
    """
    outer, upper_a, upper_b, inner, lower_b, lower_a = (points[i, :2] for i in eye)
    width = float(np.linalg.norm(outer - inner))
    height = float(np.linalg.norm(upper_a - lower_a) + np.linalg.norm(upper_b - lower_b)) / 2
    return min(1.0, height / width) if width > 0 else 0.0


def _wrapped(degrees: float) -> float:
    """The same angle in [-180, 180)."""
    return (degrees + 180.0) % 360.0 - 180.0
