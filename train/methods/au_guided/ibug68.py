"""The 68 landmarks of iBUG 300-W: which points of MediaPipe's face mesh stand for them.

iBUG counts from the right end of the jaw (0) over the chin (8), brows (17 to 26), nose (27 to 35), eyes (36 to 47) and
outer lips (48 to 59) to the inner lips (60 to 67); right and left are those of the person. The mesh of the Face
Landmarker has 468 points, and 10 more for the irises; the table names for each landmark the point that lies closest to
it on the same contour.
"""

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.floating]

_JAW = (162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389)
_BROWS = (71, 63, 105, 66, 107, 336, 296, 334, 293, 301)
_NOSE = (168, 197, 5, 4, 75, 97, 2, 326, 305)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_OUTER_LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
_INNER_LIPS = (78, 82, 13, 312, 308, 317, 14, 87)
MESH_POINTS = _JAW + _BROWS + _NOSE + _EYES + _OUTER_LIPS + _INNER_LIPS
SMALLEST_MESH = 468


def from_face_mesh(mesh: Points) -> Points:
    """The 68 landmarks of a face mesh, in its unit: (468 or more, 2 or more) x, y, … → (68, 2).

    Raises ValueError if the mesh has fewer points.
    """
    if mesh.ndim != 2 or len(mesh) < SMALLEST_MESH or mesh.shape[1] < 2:
        raise ValueError(f"a face mesh has {SMALLEST_MESH} points (x, y) or more, found {mesh.shape}")
    return np.asarray(mesh[list(MESH_POINTS), :2])
