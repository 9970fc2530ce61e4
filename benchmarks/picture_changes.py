"""What the robustness figures change in a picture, each (H, W, 3) uint8 → the same."""

from collections.abc import Callable

import cv2
import numpy as np

from streamaffect.types import ImageArray


def _half_resolution(picture: ImageArray) -> ImageArray:
    side = picture.shape[0]
    small = cv2.resize(picture, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _jpeg(picture: ImageArray) -> ImageArray:
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 30))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _light(factor: float) -> Callable[[ImageArray], ImageArray]:
    return lambda picture: (picture * factor).clip(0, 255).astype(np.uint8)


def _roll(picture: ImageArray) -> ImageArray:
    side = picture.shape[0]
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), 15, 1)
    return np.asarray(cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _lower_third_hidden(picture: ImageArray) -> ImageArray:
    hidden = picture.copy()
    hidden[picture.shape[0] * 2 // 3 :] = 128
    return hidden


CHANGES: dict[str, Callable[[ImageArray], ImageArray]] = {
    "half resolution": _half_resolution,
    "JPEG quality 30": _jpeg,
    "light -30 %": _light(0.7),
    "light +30 %": _light(1.3),
    "15° roll": _roll,
    "lower third hidden": _lower_third_hidden,
}
