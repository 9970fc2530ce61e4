"""Occlusion of a real face by the shipped bundle, against what is done by hand."""

import numpy as np
import pytest

from streamaffect.affect.occlusion import Occluder, hidden, top_cells
from streamaffect.faces.crop import crop_box
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import Box, ImageArray
from tests.support.faces import demo_frames


@pytest.fixture(scope="module")
def crop() -> ImageArray:
    """The smile of the demo clip's first frame."""
    return crop_box(demo_frames(1)[0], Box(0.372, 0.294, 0.26, 0.461), load_bundle().manifest.crop)


@pytest.fixture(scope="module")
def occluder() -> Occluder:
    bundle = load_bundle()
    return Occluder(bundle, OnnxRuntimeEngine(bundle))


def test_the_map_is_the_fall_of_the_highest_probability_square_by_square(occluder: Occluder, crop: ImageArray) -> None:
    found = occluder.look(crop)
    assert found.probability == found.probabilities[found.emotion] == found.probabilities.max()
    for row, column in ((0, 0), (5, 3), (7, 7)):
        covered = crop.copy()
        rows, columns = (slice(max(0, at - 1) * 8, (at + 2) * 8) for at in (row, column))
        covered[rows, columns] = crop.reshape(-1, 3).mean(axis=0).round()
        fall = found.probability - occluder.probabilities(covered[None])[0, found.emotion]
        assert found.drop[row, column] == pytest.approx(fall, abs=1e-5)


def test_hiding_the_top_of_the_real_map_takes_more_than_hiding_its_bottom(occluder: Occluder, crop: ImageArray) -> None:
    drop = occluder.look(crop).drop
    top, bottom = occluder.drops(crop, [top_cells(drop), top_cells(-drop)])
    assert top > bottom


def test_top_cells_are_the_largest_quarter() -> None:
    cells = np.random.default_rng(1).random((8, 8)).astype(np.float32)
    top = top_cells(cells)
    assert top.sum() == 16
    assert cells[top].min() > cells[~top].max()


def test_only_the_cells_asked_for_are_hidden(crop: ImageArray) -> None:
    cells = np.zeros((8, 8), np.bool_)
    cells[2, 5] = True
    changed = (hidden(crop, cells) != crop).any(axis=2)
    assert changed[16:24, 40:48].mean() > 0.5
    changed[16:24, 40:48] = False
    assert not changed.any()
