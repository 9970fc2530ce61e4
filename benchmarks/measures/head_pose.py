"""Head pose as three angles, from the rotations that MediaPipe's face landmarker gives.

Its matrix turns the face's axes (x to the right of the picture, y up, z out of the face) into the camera's, so that a
face that looks into the camera has the identity. The angles are those of R = Ry(yaw) · Rx(-pitch) · Rz(roll):

- yaw:   positive where the nose points to the right of the picture
- pitch: positive where the face looks up
- roll:  positive where the head is turned anticlockwise in the picture

A mirrored picture changes the sign of yaw and roll and leaves pitch.
"""

import numpy as np

ANGLES = ("yaw", "pitch", "roll")


def pose_angles(rotation: np.ndarray) -> np.ndarray:
    """Rotations (N, 9) or (N, 3, 3) → yaw, pitch and roll (N, 3) in degrees; NaN stays NaN."""
    matrix = np.asarray(rotation, np.float64).reshape(-1, 3, 3)
    nose = matrix[:, :, 2]  # the direction in which the face looks
    yaw = np.arctan2(nose[:, 0], nose[:, 2])
    pitch = np.arcsin(np.clip(nose[:, 1], -1, 1))
    roll = np.arctan2(matrix[:, 1, 0], matrix[:, 1, 1])
    return np.asarray(np.degrees(np.stack([yaw, pitch, roll], axis=1)))
