"""What happens to pictures on their way to a model: small, compressed, badly lit, tilted, half hidden."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from streamaffect.types import ImageArray

REFERENCE_PX = 48  # width of a FER+ picture

Degradation = Callable[[ImageArray], ImageArray]


def _half_resolution(image: ImageArray) -> ImageArray:
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _jpeg_30(image: ImageArray) -> ImageArray:
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 30))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _light(factor: float) -> Degradation:
    return lambda image: np.asarray((image * float(factor)).clip(0, 255), np.uint8)  # a whole factor would wrap around


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


def as_it_is(image: ImageArray) -> ImageArray:
    """The picture itself."""
    return image


def _reduced(width_px: int) -> Degradation:
    """To this width; the crop enlarges it again, as it does with a face that is small in its frame."""

    def reduce(image: ImageArray) -> ImageArray:
        height, width = image.shape[:2]
        if width <= width_px:
            return image
        size = (width_px, max(1, round(height * width_px / width)))
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    return reduce


def _blurred(sigma_px: float) -> Degradation:
    """By a Gaussian of so many pixels of a picture of REFERENCE_PX."""

    def blur(image: ImageArray) -> ImageArray:
        sigma = sigma_px * image.shape[1] / REFERENCE_PX
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)

    return blur


DEGRADATIONS: Mapping[str, Degradation] = {
    "half resolution": _half_resolution,
    "JPEG quality 30": _jpeg_30,
    "light -30 %": _light(0.7),
    "light +30 %": _light(1.3),
    "roll +15°": _roll(15),
    "roll -15°": _roll(-15),
    "lower third hidden": _lower_third_hidden,
}

# Steps of one disturbance each; `as_it_is` stands where the undisturbed picture belongs.
CONDITIONS: Mapping[str, Mapping[str, Degradation]] = {
    "size": {"as it is": as_it_is, **{f"{width} px": _reduced(width) for width in (32, 24, 20, 16, 12)}},
    "blur": {"as it is": as_it_is, **{f"σ {sigma:g} px": _blurred(sigma) for sigma in (0.5, 1, 1.5, 2, 3)}},
    "light": {
        **{f"× {factor:g}": _light(factor) for factor in (0.25, 0.5, 0.75)},
        "as it is": as_it_is,
        **{f"× {factor:g}": _light(factor) for factor in (1.25, 1.5, 2)},
    },
}
SPOILT_ROUNDS = sum(spoil is not as_it_is for steps in CONDITIONS.values() for spoil in steps.values())
