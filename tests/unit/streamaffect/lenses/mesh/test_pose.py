import math

import numpy as np
import pytest

from streamaffect.lenses.mesh.pose import LEFT_EYE, RIGHT_EYE, eye_openness, head_pose
from streamaffect.types import FloatArray


def turned(axis: int, degrees: float) -> FloatArray:
    """By the right hand about x (to the right), y (up) or z (towards the camera)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3, dtype=np.float32)
    matrix[a, a] = matrix[b, b] = cos
    matrix[a, b], matrix[b, a] = -sin, sin
    return matrix


def nose(rotation: FloatArray) -> FloatArray:
    return np.asarray(rotation @ np.array([0, 0, 1], np.float32), np.float32)


def test_a_face_that_looks_into_the_camera_has_no_angle() -> None:
    assert head_pose(np.eye(3, dtype=np.float32), tilt=0.0) == (0, 0, 0)


def test_pitch_is_the_nose_up_yaw_to_the_right_and_roll_clockwise() -> None:
    up, right, clockwise = turned(0, -20), turned(1, 30), turned(2, -40)
    assert nose(up)[1] > 0
    assert nose(right)[0] > 0
    assert head_pose(up, tilt=0.0) == pytest.approx((20, 0, 0), abs=1e-4)
    assert head_pose(right, tilt=0.0) == pytest.approx((0, 30, 0), abs=1e-4)
    assert head_pose(clockwise, tilt=0.0) == pytest.approx((0, 0, 40), abs=1e-4)


def test_three_angles_at_once_are_found_again() -> None:
    rotation: FloatArray = np.asarray(turned(2, -40) @ turned(1, 30) @ turned(0, -20), np.float32)
    assert head_pose(rotation, tilt=0.0) == pytest.approx((20, 30, 40), abs=1e-4)


def test_the_angle_at_which_the_square_was_cut_adds_to_the_roll_alone() -> None:
    rotation: FloatArray = np.asarray(turned(2, -10) @ turned(1, 30), np.float32)
    assert head_pose(rotation, tilt=math.radians(25)) == pytest.approx((0, 30, 35), abs=1e-4)
    assert head_pose(rotation, tilt=math.radians(175)).roll == pytest.approx(-175, abs=1e-4)


@pytest.mark.parametrize("eye", [LEFT_EYE, RIGHT_EYE])
@pytest.mark.parametrize("height", [0.0, 0.01, 0.03])
def test_openness_is_height_over_width(eye: tuple[int, ...], height: float) -> None:
    points = np.zeros((478, 3), np.float32)
    for i, (x, y) in zip(eye, [(0, 0), (0.03, -1), (0.07, -1), (0.1, 0), (0.07, 1), (0.03, 1)], strict=True):
        points[i] = (x, y * height / 2, 5.0)
    assert eye_openness(points, eye) == pytest.approx(height / 0.1, abs=1e-5)


def test_an_eye_without_width_is_closed() -> None:
    assert eye_openness(np.zeros((478, 3), np.float32), LEFT_EYE) == 0.0
