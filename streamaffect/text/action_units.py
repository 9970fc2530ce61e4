"""Facial action units by number and name, and a rough reading of them from MediaPipe's 52 blendshapes.

The names are those of the Facial Action Coding System. A blendshape is how far an animated face has to be moved, not
the probability that a muscle acts, and the table below pairs those that describe the same movement. It is an
approximation: units without such a blendshape are missing, and thresholds that were chosen for a detector of action
units do not carry over.
"""

from collections.abc import Mapping
from types import MappingProxyType

UNIT_NAMES: Mapping[int, str] = MappingProxyType(
    {
        1: "inner brow raiser",
        2: "outer brow raiser",
        4: "brow lowerer",
        5: "upper lid raiser",
        6: "cheek raiser",
        7: "lid tightener",
        9: "nose wrinkler",
        10: "upper lip raiser",
        11: "nasolabial deepener",
        12: "lip corner puller",
        14: "dimpler",
        15: "lip corner depressor",
        17: "chin raiser",
        20: "lip stretcher",
        23: "lip tightener",
        24: "lip pressor",
        25: "lips part",
        26: "jaw drop",
        28: "lip suck",
        43: "eyes closed",
    }
)

# Unit → the blendshapes whose mean stands for it. 11 and 23 have none: no blendshape deepens the fold beside the nose,
# and tightening of the lips is not told from pressing them (24).
UNIT_BLENDSHAPES: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        1: ("browInnerUp",),
        2: ("browOuterUpLeft", "browOuterUpRight"),
        4: ("browDownLeft", "browDownRight"),
        5: ("eyeWideLeft", "eyeWideRight"),
        6: ("cheekSquintLeft", "cheekSquintRight"),
        7: ("eyeSquintLeft", "eyeSquintRight"),
        9: ("noseSneerLeft", "noseSneerRight"),
        10: ("mouthUpperUpLeft", "mouthUpperUpRight"),
        12: ("mouthSmileLeft", "mouthSmileRight"),
        14: ("mouthDimpleLeft", "mouthDimpleRight"),
        15: ("mouthFrownLeft", "mouthFrownRight"),
        17: ("mouthShrugLower",),
        20: ("mouthStretchLeft", "mouthStretchRight"),
        24: ("mouthPressLeft", "mouthPressRight"),
        25: ("mouthLowerDownLeft", "mouthLowerDownRight"),
        26: ("jawOpen",),
        28: ("mouthRollLower", "mouthRollUpper"),
        43: ("eyeBlinkLeft", "eyeBlinkRight"),
    }
)


def units_of_blendshapes(blendshapes: Mapping[str, float]) -> dict[int, float]:
    """Activations in [0, 1] of the 18 units that have blendshapes, each the mean of its shapes, left and right.

    blendshapes: MediaPipe's names → scores in [0, 1]; other names are ignored

    Raises KeyError with the name of a blendshape that is missing.
    """
    return {
        unit: sum(blendshapes[shape] for shape in shapes) / len(shapes) for unit, shapes in UNIT_BLENDSHAPES.items()
    }
