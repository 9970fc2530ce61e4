"""Angles of heads from rotations, and that the signs are what the module says."""

import numpy as np
import pytest

from benchmarks.measures.head_pose import pose_angles


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Ry(yaw) · Rx(-pitch) · Rz(roll)."""
    y, p, r = np.radians([yaw, -pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


@pytest.mark.parametrize("angles", [(0, 0, 0), (35, 0, 0), (-20, 15, 0), (10, -25, 30), (-50, 40, -70)])
def test_the_angles_that_made_a_rotation_come_back(angles: tuple[float, float, float]) -> None:
    assert pose_angles(rotation(*angles).reshape(1, 9))[0] == pytest.approx(angles, abs=1e-9)


def test_a_nose_to_the_right_is_positive_yaw_and_a_face_that_looks_up_positive_pitch() -> None:
    nose_of = {"yaw": rotation(30, 0, 0)[:, 2], "pitch": rotation(0, 30, 0)[:, 2]}  # x to the right, y up
    assert nose_of["yaw"][0] > 0.4
    assert nose_of["pitch"][1] > 0.4
    up = rotation(0, 0, 30)[:, 1]  # the top of a head that is turned anticlockwise lies to the left
    assert up[0] < -0.4


def test_a_mirrored_face_turns_and_tilts_to_the_other_side() -> None:
    flip = np.diag([-1.0, 1.0, 1.0])
    mirrored = pose_angles((flip @ rotation(25, -10, 15) @ flip)[None])[0]
    assert mirrored == pytest.approx((-25, -10, -15), abs=1e-9)


def test_a_face_that_was_not_found_has_no_angles() -> None:
    assert np.isnan(pose_angles(np.full((2, 9), np.nan, np.float16))).all()
