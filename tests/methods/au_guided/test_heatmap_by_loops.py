"""Heat maps equal regions that are painted pixel by pixel from the paper's table, for faces and sizes of no fixture.

OpenCV draws an ellipse as a polygon, so its edge may lie a pixel beside the one of the inequality; the comparison is of
what a difference of that kind can do after the blur, and no more.
"""

import numpy as np
import pytest
import torch

from tests.support.training.golden import load_golden
from tests.support.training.plain_loops import Array
from train.data.drawn_faces import EXPRESSIONS
from train.methods.au_guided.regions import CODEBOOK, heatmap

Ellipses = list[tuple[int, int, int, int]]


def half(length: int) -> int:
    return int(length / 2)


def regions(points: np.ndarray, width: int, height: int, *, reference: bool) -> list[Ellipses]:
    """(x, y, half width, half height) by unit number, written down from the table alone."""
    x, y = points[:, 0].tolist(), points[:, 1].tolist()
    brow = (round(width / 8), round(height / 10))
    cheek = (round(width / 10), round(height / 10))
    down = round(height / 6)

    def span(left: int, right: int, top: int, bottom: int, fallback: int, more: int = 0) -> tuple[int, int, int, int]:
        across, along = half(max(x[right] - x[left], 0)), half(max(y[bottom] - y[top], 0) + more)
        return half(x[left] + x[right]), half(y[top] + y[bottom]), across or fallback, along or fallback

    def spot(px: int, py: int) -> tuple[int, int, int, int]:
        return px, py, 20, 20

    chin = span(59, 8, 59, 8, 5)
    if not reference and x[8] < x[59]:
        chin = (chin[0], chin[1], half(x[59] - x[8]) or 5, chin[3])
    eyes = [(36, 39, 38, 41), (42, 45, 44, 47)]
    mouth = [span(48, 54, 51, 57, 5)]
    corners = [spot(x[48], y[48]), spot(x[54], y[54])]
    return [
        [(x[20], y[20], *brow), (x[23], y[23], *brow)],
        [(x[18], y[18], *brow), (x[25], y[25], *brow)],
        [span(19, 24, 19, 24, 10)],
        [span(*eye, 5) for eye in eyes],
        [(x[41], y[41] + down, *cheek), (x[46], y[46] + down, *cheek)],
        [span(*eye, 5, 20) for eye in eyes],
        [spot(x[31], y[29]), spot(x[35], y[29])],
        [spot(x[48], y[50]), spot(x[52], y[54])],
        corners,
        [spot(max(x[48] - 20, 0), y[48]), spot(max(min(x[54] + 20, width), min(x[54] + 10, width)), y[54])],
        corners,
        [chin],
        [spot(half(x[48] + x[6]), half(y[48] + y[6])), spot(half(x[50] + x[10]), half(y[50] + y[10]))],
        mouth,
        mouth,
        [(x[51], y[51], 25, 10), (x[57], y[57], 25, 10)],
        mouth,
        [span(*eye, 0, 20) for eye in eyes],
        mouth,
        [spot(x[59], y[59]), spot(x[55], y[55])],
    ]


def painted(ellipses: Ellipses, width: int, height: int) -> Array | None:
    canvas = np.full((height, width), 1e-4)
    row, column = np.indices(canvas.shape)
    for x, y, a, b in ellipses:
        # Half a pixel more, as a filled outline covers the pixels that it runs through.
        canvas[((column - x) / (a + 0.5)) ** 2 + ((row - y) / (b + 0.5)) ** 2 <= 1] = 255.0
    return canvas if canvas.max() > 1e-4 else None


def resized(picture: Array, height: int, width: int) -> Array:
    """Bilinear between pixel centres, no antialiasing."""
    out = picture
    for axis, size in ((0, height), (1, width)):
        old = out.shape[axis]
        at = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, old - 1)
        share = (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        out = np.take(out, low, axis) * (1 - share) + np.take(out, high, axis) * share
    return out


def blurred(picture: Array) -> Array:
    padded = np.pad(picture, 1, mode="reflect")
    rows, columns = picture.shape
    return np.asarray(sum(padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)) / 9)


def plain_heatmap(points: np.ndarray, expression: str, width: int, height: int, *, reference: bool) -> Array:
    drawn = regions(points, width, height, reference=reference)
    maps = [painted(drawn[unit], width, height) for unit in CODEBOOK[expression]]
    small = [blurred(resized(one, 28, 28)) for one in maps if one is not None]
    if not small:
        return np.full((height, width), np.inf)
    top = np.max([resized(one, height, width) for one in small], axis=0)
    return np.asarray((top - top.min()) / ((top.max() - top.min()) or 1.0))


def posed(width: int, height: int, degrees: float) -> np.ndarray:
    """The fixture's face in a picture of another size, turned in its plane."""
    golden = load_golden("au_heatmap")
    side = float(golden["width"])
    centred = golden["landmarks"].double().numpy() / side - 0.5
    angle = np.radians(degrees)
    turned = centred @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(((turned + 0.5) * [width, height]).astype(int))


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize(("width", "height", "degrees"), [(128, 128, 25.0), (150, 96, -10.0), (224, 224, 0.0)])
def test_the_heat_map_of_every_expression(width: int, height: int, degrees: float, reference: bool) -> None:
    points = posed(width, height, degrees)
    for expression in [name for name in CODEBOOK if name != "Neutral"]:
        expected = plain_heatmap(points, expression, width, height, reference=reference)
        found = heatmap(torch.from_numpy(points), expression, height=height, width=width, reference=reference)
        difference = np.abs(found.numpy() - expected)
        assert difference.mean() < 0.01, expression
        assert difference.max() < 0.35, expression


@pytest.mark.parametrize("number", range(7))
def test_a_class_may_be_given_by_its_number_and_the_size_by_place(number: int) -> None:
    points = torch.from_numpy(posed(90, 70, 5.0))
    by_name = heatmap(points, EXPRESSIONS[number], height=70, width=90)
    assert torch.equal(heatmap(points, number, 70, 90), by_name)
    assert torch.equal(heatmap(points.float(), torch.tensor(number), 70, 90), by_name)
