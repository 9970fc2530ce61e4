"""Why a face was called what it was called: three maps over what the model sees, and the picture with one drawn in.

None of them says what a person feels, nor what a face expresses: they say what the model's answer hangs on, or, the
aligned one, what a textbook would have it hang on.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import cv2
import numpy as np

from streamaffect.affect.occlusion import OCCLUSION
from streamaffect.messages import Estimate
from streamaffect.text.regions import CELLS, SIDE, regions_in_words
from streamaffect.types import FloatArray, ImageArray, Square

Method = Literal["distilled", "aligned", "occlusion"]
METHODS: tuple[Method, ...] = get_args(Method)
OUTPUT_OF: Mapping[Method, str] = {"distilled": "map", "aligned": "aligned", "occlusion": OCCLUSION}
WHAT_IT_IS: Mapping[Method, str] = {
    "distilled": "estimated in one look: where hiding the face would take the answer away",
    "aligned": "the textbook's action units of that emotion, not what the model looks at",
    "occlusion": "measured: where hiding the face does take the answer away",
}
HEAD, NEUTRAL = "emotions", "neutral"

LEAST_SCALE = 0.1  # what counts as full heat at least: a map of hardly anything stays pale
OPACITY = 0.75
SMALLEST_PX = 480  # a picture is enlarged to that, so that the words can be read


def strongest_emotion(estimate: Estimate) -> tuple[str, float] | None:
    """The emotion that an estimate names, and its probability; None where it names none."""
    emotions = estimate.outputs.get(HEAD)
    return max(emotions.items(), key=lambda item: item[1]) if emotions else None


def cells_of(estimate: Estimate, method: Method = "distilled") -> FloatArray | None:
    """The map of an estimate (8, 8), from the top left; None where it has none."""
    values = estimate.outputs.get(OUTPUT_OF[method])
    if not values:
        return None
    return np.array([values.get(name, 0.0) for name in CELLS], np.float32).reshape(SIDE, SIDE)


def where(estimate: Estimate, method: Method) -> str:
    """The map of an estimate that has one in words, such as "mouth 41 %, nose 20 %"."""
    named = strongest_emotion(estimate)
    if method == "aligned" and named is not None and named[0] == NEUTRAL:
        return "neutral has no action units: this map is aligned with nothing"
    return regions_in_words(estimate.outputs[OUTPUT_OF[method]])


def draw_explanation(image: ImageArray, estimates: Sequence[Estimate], *, method: Method = "distilled") -> ImageArray:
    """A copy of a picture with the map over each face, what the face was called, the regions in words, and the method.

    image:     (H, W, 3) uint8 BGR, of which the estimates speak
    estimates: of `analyze_image(image, explain=method)`; one without a map is left as it is

    Returns (H', W', 3) uint8 BGR, enlarged where the picture is small, with a line below it.
    """
    shown = _enlarged(image)
    for estimate in estimates:
        cells = cells_of(estimate, method)
        if cells is not None and isinstance(estimate.square, Square):
            shown = _with_heat(shown, cells, estimate.square)
    for estimate in estimates:
        if cells_of(estimate, method) is not None and isinstance(estimate.square, Square):
            _name(shown, estimate, method)
    return _with_line(shown, f"{method}: {WHAT_IT_IS[method]}")


def _enlarged(image: ImageArray) -> ImageArray:
    times = -(-SMALLEST_PX // max(image.shape[:2]))
    if times <= 1:
        return image.copy()
    return np.asarray(cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC), np.uint8)


def _with_heat(image: ImageArray, cells: FloatArray, square: Square) -> ImageArray:
    height, width = image.shape[:2]
    heat = cells.clip(min=0) / max(float(cells.max()), LEAST_SCALE)
    # The corners of the map are those of its outer cells; OpenCV counts from the middles of pixels.
    source = np.array([(-0.5, -0.5), (SIDE - 0.5, -0.5), (-0.5, SIDE - 0.5)], np.float32)
    target = np.array(square, np.float32) * (width, height) - 0.5
    placed = cv2.getAffineTransform(source, target.astype(np.float32))
    bordered = cv2.warpAffine(
        heat, placed, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    ).clip(0, 1)
    colours = cv2.applyColorMap((128 + 127 * bordered).astype(np.uint8), cv2.COLORMAP_TURBO)
    weight = (OPACITY * bordered)[..., None]
    return np.asarray((1 - weight) * image + weight * colours, np.float32).round().clip(0, 255).astype(np.uint8)


def _name(image: ImageArray, estimate: Estimate, method: Method) -> None:
    """The square's outline, and beside it what the face was called and where that comes from. Changes the image."""
    assert isinstance(estimate.square, Square)
    height, width = image.shape[:2]
    top_left, top_right, bottom_left = (np.array(point) * (width, height) for point in estimate.square)
    outline = np.array([top_left, top_right, top_right + bottom_left - top_left, bottom_left]).round().astype(np.int32)
    cv2.polylines(image, [outline], isClosed=True, color=(255, 255, 255), thickness=max(1, width // 600))
    named = strongest_emotion(estimate)
    words = [f"{named[0]} {named[1]:.2f}"] if named else []
    words.append(where(estimate, method))
    scale, step = _letters(width)
    left, top = int(outline[:, 0].min()), int(outline[:, 1].min())
    for number, line in enumerate(words):
        at = (max(4, left), max(step, top - step * (len(words) - 1 - number) - step // 3))
        _write(image, line, (at[0], at[1] if top > 2 * step else step * (number + 1)), scale)


def _with_line(image: ImageArray, line: str) -> ImageArray:
    width = image.shape[1]
    scale, step = _letters(width)
    (needed, _), _ = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    below = np.full((2 * step, width, 3), 32, np.uint8)
    _write(below, line, (4, round(1.35 * step)), scale * min(1.0, (width - 8) / needed))
    return np.concatenate([image, below])


def _letters(width: int) -> tuple[float, int]:
    """Scale of the font, and pixels from line to line."""
    scale = max(0.4, width / 1400)
    return scale, round(30 * scale)


def _write(image: ImageArray, line: str, at: tuple[int, int], scale: float) -> None:
    thick = max(1, round(scale * 1.4))
    around = [(across, down) for across in (-thick, 0, thick) for down in (-thick, 0, thick)]
    for across, down in around:
        place = at[0] + across, at[1] + down
        cv2.putText(image, line, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), thick, cv2.LINE_AA)
    cv2.putText(image, line, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), thick, cv2.LINE_AA)
