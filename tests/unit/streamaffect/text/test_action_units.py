"""Action units and the blendshapes that stand for them."""

import pytest

from streamaffect.text.action_units import UNIT_BLENDSHAPES, UNIT_NAMES, units_of_blendshapes

# The 52 names of MediaPipe's face landmarker, one of each pair.
SINGLE = ("_neutral", "browInnerUp", "cheekPuff", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
          "mouthFunnel", "mouthLeft", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
          "mouthShrugLower", "mouthShrugUpper")  # fmt: skip
PAIRED = ("browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp",
          "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile",
          "mouthStretch", "mouthUpperUp", "noseSneer")  # fmt: skip
BLENDSHAPES = (*SINGLE, *(f"{name}{side}" for name in PAIRED for side in ("Left", "Right")))


def test_every_blendshape_of_the_table_is_one_of_mediapipes() -> None:
    assert len(BLENDSHAPES) == 52
    used = [shape for shapes in UNIT_BLENDSHAPES.values() for shape in shapes]
    assert set(used) <= set(BLENDSHAPES)
    assert len(set(used)) == len(used)


def test_a_pair_is_always_taken_with_both_sides() -> None:
    for shapes in UNIT_BLENDSHAPES.values():
        sides = {shape[:-4] if shape.endswith("Left") else shape[:-5] for shape in shapes if shape[:-4] in PAIRED}
        assert all({f"{name}Left", f"{name}Right"} <= set(shapes) for name in sides)


def test_left_and_right_are_averaged() -> None:
    scores = dict.fromkeys(BLENDSHAPES, 0.0) | {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.5, "jawOpen": 0.3}
    units = units_of_blendshapes(scores)
    assert units[12] == pytest.approx(0.7)
    assert units[26] == pytest.approx(0.3)
    assert sum(units.values()) == pytest.approx(1.0)


def test_units_without_a_blendshape_are_missing_rather_than_zero() -> None:
    assert set(UNIT_NAMES) - set(units_of_blendshapes(dict.fromkeys(BLENDSHAPES, 0.2))) == {11, 23}


def test_a_missing_blendshape_is_named() -> None:
    scores = dict.fromkeys(BLENDSHAPES, 0.0)
    del scores["jawOpen"]
    with pytest.raises(KeyError, match="jawOpen"):
        units_of_blendshapes(scores)
