"""What explanations say, without a model."""

import numpy as np
import pytest
from msgspec.structs import replace

from streamaffect.affect.explanation import METHODS, Method, cells_of, draw_explanation, where
from streamaffect.text.regions import CELLS
from streamaffect.types import Square
from tests.support.recordings import ESTIMATE

MOUTH = {name: float(name in ("y5x3", "y5x4", "y6x3", "y6x4")) for name in CELLS}
SQUARE = Square((0.25, 0.25), (0.75, 0.25), (0.25, 0.75))


def named(emotion: str, output: str = "map") -> dict[str, dict[str, float]]:
    return {"emotions": {"neutral": 0.3, "happiness": 0.3} | {emotion: 0.6}, output: MOUTH}


@pytest.mark.parametrize(
    ("method", "output", "words"),
    [
        ("distilled", "map", "mouth 100 %"),
        ("occlusion", "occlusion", "mouth 100 %"),
        ("aligned", "aligned", "neutral has no action units: this map is aligned with nothing"),
    ],
)
def test_the_textbook_knows_nothing_of_neutral(method: Method, output: str, words: str) -> None:
    assert where(replace(ESTIMATE, outputs=named("neutral", output)), method) == words
    assert where(replace(ESTIMATE, outputs=named("happiness", output)), method) == "mouth 100 %"


@pytest.mark.parametrize("method", METHODS)
def test_a_face_without_a_map_is_left_as_it_is(method: Method) -> None:
    image = np.full((600, 800, 3), 90, np.uint8)
    assert cells_of(ESTIMATE, method) is None
    assert np.array_equal(draw_explanation(image, [ESTIMATE], method=method)[:600], image)


def test_heat_lies_in_the_lower_middle_of_the_square() -> None:
    image = np.full((800, 800, 3), 90, np.uint8)
    drawn = draw_explanation(image, [replace(ESTIMATE, outputs=named("happiness"), square=SQUARE)])[:800].astype(int)
    redness = drawn[..., 2] - drawn[..., 0]
    rows, columns = np.nonzero(redness > 60)
    assert (columns.mean() / 800, rows.mean() / 800) == pytest.approx((0.5, 0.25 + 0.5 * 6 / 8), abs=0.02)
    assert redness[:200].max() == 0
