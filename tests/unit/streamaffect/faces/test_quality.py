import cv2
import numpy as np
import pytest

from streamaffect.faces.crop import crop_face
from streamaffect.faces.quality import measure
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import Box, Face, ImageArray, Quality

SPEC = CropSpec(size=64, margin=0.0, align="none")
FACE_PX = 256


def frame() -> ImageArray:
    """Structure at all scales: blocks of 8 to 64 pixels."""
    random = np.random.default_rng(11)
    layers = [
        cv2.resize(random.normal(0, 20, (512 // n, 512 // n)), (512, 512), interpolation=cv2.INTER_NEAREST)
        for n in (8, 16, 32, 64)
    ]
    grey = np.clip(128 + sum(layers, np.zeros((512, 512))), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def quality(image: ImageArray, *, x: float = 0.25, size: float = 0.5, spec: CropSpec = SPEC) -> Quality:
    face = Face(Box(x, 0.25, size, size), score=0.9)
    return measure(crop_face(image, face, spec), face, image.shape, spec)


def shrunk(image: ImageArray, face_px: int) -> ImageArray:
    side = round(image.shape[0] * face_px / FACE_PX)
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def blurred(image: ImageArray, sigma: float) -> ImageArray:
    """Blurred by a Gaussian of `sigma` pixels of a crop of 64."""
    pixels = sigma * FACE_PX / 64
    return np.asarray(cv2.GaussianBlur(image, (0, 0), pixels), np.uint8)


def test_a_large_sharp_face_within_the_frame_is_as_good_as_its_score() -> None:
    assert quality(frame()) == Quality(size=1.0, sharpness=1.0, inside=1.0, score=0.9)


@pytest.mark.parametrize(("face_px", "low", "high"), [(64, 1, 1), (40, 0.5, 0.8), (24, 0.25, 0.4), (10, 0, 0.02)])
def test_a_smaller_face_has_a_lower_size(face_px: int, low: float, high: float) -> None:
    assert low <= quality(shrunk(frame(), face_px)).size <= high


def test_a_face_needs_as_many_pixels_as_it_takes_in_the_crop() -> None:
    image = shrunk(frame(), 56)
    assert quality(image).size < 1.0
    assert quality(image, spec=CropSpec(64, 0.1, "none")).size == 1.0


def test_a_small_clean_face_keeps_its_sharpness() -> None:
    assert quality(shrunk(frame(), 28)).sharpness > 0.7


def test_sharpness_falls_with_every_blur_and_below_0_3_for_a_strong_one() -> None:
    blurs = [quality(blurred(frame(), sigma)).sharpness for sigma in (0.5, 1, 2, 4)]
    assert blurs == sorted(blurs, reverse=True)
    assert blurs[-1] < 0.3


def test_sharpness_ignores_light_and_contrast() -> None:
    soft = blurred(frame(), 1.0)
    dim = np.clip(soft * 0.5 + 20, 0, 255).astype(np.uint8)
    assert quality(dim).sharpness == pytest.approx(quality(soft).sharpness, abs=0.06)


def test_sharpness_hardly_depends_on_the_size_of_the_crop() -> None:
    soft = blurred(frame(), 1.5)
    values = [quality(soft, spec=CropSpec(size, 0.0, "none")).sharpness for size in (48, 64, 96, 112)]
    assert max(values) - min(values) < 0.12


def test_a_uniform_crop_has_no_sharpness() -> None:
    assert quality(np.full((512, 512, 3), 80, np.uint8)).sharpness == 0.0


@pytest.mark.parametrize(("x", "share"), [(-0.25, 0.5), (0.75, 0.5), (0.5, 1.0), (-0.6, 0.0)])
def test_inside_is_the_share_of_the_crop_that_lies_in_the_frame(x: float, share: float) -> None:
    assert quality(frame(), x=x).inside == pytest.approx(share)


@pytest.mark.parametrize("flaw", ["size", "sharpness", "inside", "score"])
def test_the_weakest_property_is_named(flaw: str) -> None:
    values = dict.fromkeys(("size", "sharpness", "inside", "score"), 0.9) | {flaw: 0.2}
    assert (Quality(**values).weakest, Quality(**values).overall) == (flaw, 0.2)
