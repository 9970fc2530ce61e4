"""What happens to pictures on their way to a model: small, compressed, badly lit, tilted, half hidden."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from streamaffect.types import ImageArray

Degradation = Callable[[ImageArray], ImageArray]


def _half_resolution(image: ImageArray) -> ImageArray:
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _jpeg_30(image: ImageArray) -> ImageArray:
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 30))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _light(factor: float) -> Degradation:
    return lambda image: np.asarray((image * factor).clip(0, 255), np.uint8)


def _roll(degrees: float) -> Degradation:
    def turn(image: ImageArray) -> ImageArray:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
        return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)

    return turn


def _lower_third_hidden(image: ImageArray) -> ImageArray:
    covered = image.copy()
    covered[-(image.shape[0] // 3) :] = 0
    return covered


DEGRADATIONS: Mapping[str, Degradation] = {
    "half resolution": _half_resolution,
    "JPEG quality 30": _jpeg_30,
    "light -30 %": _light(0.7),
    "light +30 %": _light(1.3),
    "roll +15°": _roll(15),
    "roll -15°": _roll(-15),
    "lower third hidden": _lower_third_hidden,
}
