"""What the teacher saw in a face, as targets beside the labels: learning to see the same is a help to the features.

The crowd's votes say little about a single picture, and a video has no votes at all. The teacher's own numbers exist
for both: its valence and arousal, its eight shares, and the blendshapes of the face, which say how each part of it
moves. Left and right are averaged, since training mirrors half of the pictures.
"""

import numpy as np

from streamaffect.lenses.mesh.landmarker import BLENDSHAPES
from streamaffect.types import BoolArray, FloatArray


def without_side(name: str) -> str:
    """The movement that a blendshape is one side of: "mouthSmileLeft" → "mouthSmile"."""
    return name.removesuffix("Left").removesuffix("Right")


MOVEMENTS = tuple(dict.fromkeys(without_side(name) for name in BLENDSHAPES))
_PLACES = np.array([MOVEMENTS.index(without_side(name)) for name in BLENDSHAPES])
GUIDES = 2 + 8 + len(MOVEMENTS)  # valence and arousal, shares, movements


def without_sides(blendshapes: FloatArray) -> FloatArray:
    """(N, 52) → (N, len(MOVEMENTS)): left and right averaged."""
    shares = (_PLACES[:, None] == np.arange(len(MOVEMENTS))).astype(np.float32)
    return np.asarray(blendshapes @ (shares / shares.sum(axis=0)), np.float32)


def guidance(
    affect: FloatArray, emotions: FloatArray, blendshapes: FloatArray | None = None, known: BoolArray | None = None
) -> FloatArray:
    """The teacher's affect (N, 2), shares (N, 8) and blendshapes (N, 52) → (N, GUIDES) float32.

    known: (N,) whose blendshapes were found; the others', and all where there are none, are NaN
    """
    movements = np.full((len(affect), len(MOVEMENTS)), np.nan, np.float32)
    if blendshapes is not None:
        rows = np.ones(len(affect), np.bool_) if known is None else known
        movements[rows] = without_sides(blendshapes[rows].astype(np.float32))
    return np.concatenate([affect, emotions, movements], axis=1).astype(np.float32)
