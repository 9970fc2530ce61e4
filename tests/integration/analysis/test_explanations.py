"""Explanations of a real face: what they say is true, lies where it should, and changes nothing else."""

import cv2
import msgspec
import numpy as np
import pytest

from streamaffect import ConfigError, analyze_image, draw_explanation, load_bundle
from streamaffect.affect.explanation import METHODS, OUTPUT_OF, WHAT_IT_IS, Method, cells_of, strongest_emotion
from streamaffect.affect.occlusion import Occluder, top_cells
from streamaffect.errors import LensError
from streamaffect.faces.crop import crop_box
from streamaffect.feed.wire import decode, encode
from streamaffect.messages import Estimate
from streamaffect.runtime.manifest import CropSpec
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.text.regions import CELLS
from streamaffect.types import ImageArray, Square
from tests.support.bundles import write_bundle
from tests.support.faces import demo_frames

EXACT = {"backend": "onnxruntime", "precision": "fp32"}


@pytest.fixture(scope="module")
def image() -> ImageArray:
    return demo_frames(1)[0]  # a smile


@pytest.fixture(scope="module")
def explained(image: ImageArray) -> dict[Method, Estimate]:
    return {method: analyze_image(image, engine=EXACT, explain=method)[0] for method in METHODS}


def _turned_back(image: ImageArray, square: Square, size: int) -> ImageArray:
    """The square as an upright crop (S, S, 3) RGB, by its corners alone."""
    height, width = image.shape[:2]
    corners = (np.array(square) * (width, height) - 0.5).astype(np.float32)
    target = np.array([(0, 0), (size, 0), (0, size)], np.float32) - 0.5
    turned = cv2.warpAffine(image, cv2.getAffineTransform(corners, target), (size, size))
    return np.asarray(turned[..., ::-1], np.uint8)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_adds_its_map_and_changes_nothing_else(
    image: ImageArray, explained: dict[Method, Estimate], method: Method
) -> None:
    (bare,) = analyze_image(image, engine=EXACT)
    found = explained[method]
    assert tuple(found.outputs[OUTPUT_OF[method]]) == CELLS
    others = {name: values for name, values in found.outputs.items() if name != OUTPUT_OF[method]}
    assert msgspec.structs.replace(found, outputs=others, square=msgspec.UNSET) == bare
    sent = decode(encode(found))
    assert isinstance(sent, Estimate)
    assert isinstance(sent.square, Square)
    assert isinstance(found.square, Square)
    assert np.allclose(sent.square, found.square, atol=1e-6)


def test_hiding_what_the_distilled_map_names_takes_the_answer_away(
    image: ImageArray, explained: dict[Method, Estimate]
) -> None:
    bundle, found = load_bundle(), explained["distilled"]
    cells = cells_of(found)
    assert cells is not None
    assert isinstance(found.square, Square)
    crop = _turned_back(image, found.square, bundle.manifest.crop.size)
    top, bottom = Occluder(bundle, OnnxRuntimeEngine(bundle)).drops(crop, [top_cells(cells), top_cells(-cells)])
    assert top > bottom + 0.1
    measured = cells_of(explained["occlusion"], "occlusion")
    assert measured is not None
    assert np.corrcoef(cells.ravel(), measured.ravel())[0, 1] > 0.4


def test_a_box_by_hand_has_its_square_without_a_turn(image: ImageArray) -> None:
    box = (0.3, 0.1, 0.4, 0.7)
    (found,) = analyze_image(image, boxes=[box], engine=EXACT, explain=True)
    assert isinstance(found.square, Square)
    assert found.square.top_left[1] == pytest.approx(found.square.top_right[1])
    spec = CropSpec(64, load_bundle().manifest.crop.margin, "roll")
    crop = crop_box(image, found.box, spec).astype(float)
    assert np.abs(_turned_back(image, found.square, 64) - crop).mean() < 12


def test_the_drawing_is_warm_where_the_map_is_and_untouched_elsewhere(
    image: ImageArray, explained: dict[Method, Estimate]
) -> None:
    before = image.copy()
    found = explained["distilled"]
    drawn = draw_explanation(image, [found])
    assert np.array_equal(image, before)
    times = drawn.shape[1] // image.shape[1]
    assert drawn.shape[0] > times * image.shape[0]  # the line that says what it is
    large = cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC).astype(float)
    assert isinstance(found.square, Square)
    cells = cells_of(found)
    assert cells is not None
    row, column = np.unravel_index(cells.argmax(), cells.shape)
    origin, right, down = (np.array(corner) for corner in found.square)
    place = origin + (column + 0.5) / 8 * (right - origin) + (row + 0.5) / 8 * (down - origin)
    x, y = (place * (large.shape[1], large.shape[0])).round().astype(int)
    redder = (drawn[: large.shape[0]] - large)[y - 2 : y + 3, x - 2 : x + 3].mean(axis=(0, 1))
    assert redder[2] - redder[0] > 20
    outside = np.abs(drawn[large.shape[0] - 8 : large.shape[0], :8] - large[-8:, :8])
    assert outside.max() == 0


def test_explaining_words_say_which_is_which(explained: dict[Method, Estimate]) -> None:
    assert len(set(WHAT_IT_IS.values())) == len(METHODS)
    assert strongest_emotion(explained["distilled"]) == strongest_emotion(explained["occlusion"])


def test_a_method_that_there_is_not_and_a_bundle_without_classes_are_refused(
    image: ImageArray, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(ConfigError, match="explain: 'gradcam' is none of True, False, distilled, aligned, occlusion"):
        analyze_image(image, explain="gradcam")  # type: ignore[arg-type]
    bundle = write_bundle(tmp_path_factory.mktemp("other") / "bundle")
    with pytest.raises(LensError, match=r"belongs to the frame encoder .* explain=\"occlusion\" works with any bundle"):
        analyze_image(image, bundle=bundle, engine="onnxruntime", explain=True)
