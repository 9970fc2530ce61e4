import pytest

from streamaffect.faces.boxes import cover, iou, suppress
from streamaffect.types import Box, Face

UNIT = Box(0.0, 0.0, 1.0, 1.0)


def test_a_box_overlaps_itself_wholly() -> None:
    assert iou(UNIT, UNIT) == cover(UNIT, UNIT) == 1.0


def test_boxes_that_touch_do_not_overlap() -> None:
    assert iou(UNIT, Box(1.0, 0.0, 1.0, 1.0)) == cover(UNIT, Box(1.0, 0.0, 1.0, 1.0)) == 0.0


def test_half_a_shift_is_a_third_of_the_union() -> None:
    assert iou(UNIT, Box(0.5, 0.0, 1.0, 1.0)) == pytest.approx(1 / 3)


def test_a_box_within_another_is_covered_whatever_its_size() -> None:
    inner = Box(0.4, 0.4, 0.1, 0.1)
    assert cover(UNIT, inner) == pytest.approx(1.0)
    assert iou(UNIT, inner) == pytest.approx(0.01)


def test_boxes_without_area_overlap_nothing() -> None:
    assert iou(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == cover(UNIT, Box(0.5, 0.5, 0, 0)) == 0.0


def test_of_two_faces_in_one_place_the_surer_one_stays() -> None:
    sure, unsure = Face(UNIT, 0.9), Face(Box(0.1, 0.1, 0.5, 0.5), 0.6)
    assert suppress([unsure, sure], max_cover=0.7) == [sure]


def test_neighbours_that_overlap_a_little_both_stay() -> None:
    faces = [Face(UNIT, 0.9), Face(Box(0.5, 0.0, 1.0, 1.0), 0.8)]
    assert suppress(faces, max_cover=0.7) == faces
