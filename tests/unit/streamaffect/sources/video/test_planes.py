"""Pictures in planes, held against FFmpeg's own conversion of the whole picture."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.faces.crop import crop_face
from streamaffect.faces.shrink import halve_below
from streamaffect.runtime.manifest import CropSpec
from streamaffect.sources.video.colour import BgrConverter
from streamaffect.sources.video.orientation import AS_STORED, Orientation
from streamaffect.sources.video.planes import Mixer, PlanarPicture, is_planar
from streamaffect.types import Box, Face, ImageArray, Window

FORMATS = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p")
ORIENTATIONS = [Orientation(*turns) for turns in product((False, True), repeat=3)]


def scene(width: int, height: int) -> ImageArray:
    """Soft coloured spots that no conversion has to clip, (height, width, 3) uint8 BGR."""
    spots = np.random.default_rng(3).integers(80, 176, (height // 16 + 2, width // 16 + 2, 3), np.uint8)
    return np.asarray(cv2.resize(spots, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def frame_of(
    image: ImageArray,
    kind: str = "yuv420p",
    colours: Colorspace = Colorspace.ITU709,
    levels: ColorRange = ColorRange.MPEG,
) -> VideoFrame:
    levels = ColorRange.JPEG if kind.startswith("yuvj") else levels
    frame = av.VideoFrame.from_ndarray(image, format="bgr24")
    frame = frame.reformat(format=kind, dst_colorspace=colours, dst_color_range=levels)
    frame.colorspace, frame.color_range = colours, levels
    return frame


def planar(frame: VideoFrame, orientation: Orientation = AS_STORED) -> PlanarPicture:
    return PlanarPicture(frame, orientation, BgrConverter().convert, Mixer())


def farthest(one: ImageArray, other: ImageArray) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


def whole_window(picture: PlanarPicture) -> Window:
    height, width, _ = picture.shape
    return 0, 0, width, height


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("colours", [Colorspace.ITU709, Colorspace.ITU601])
@pytest.mark.parametrize("levels", [ColorRange.MPEG, ColorRange.JPEG])
def test_every_format_matrix_and_range_gives_the_colours_of_a_whole_conversion(
    kind: str, colours: Colorspace, levels: ColorRange
) -> None:
    frame = frame_of(scene(130, 96), kind, colours, levels)
    picture = planar(frame)
    assert is_planar(frame)
    part = picture.part(whole_window(picture), (130, 96))
    assert farthest(part, picture.whole()) <= 2
    assert np.abs((part - picture.whole().astype(float)).mean((0, 1))).max() < 0.4


@given(
    kind=st.sampled_from(FORMATS),
    orientation=st.sampled_from(ORIENTATIONS),
    corners=st.tuples(*(st.integers(0, most) for most in (60, 60, 36, 36))),
)
def test_a_part_is_that_part_of_the_whole_however_the_picture_is_turned(
    kind: str, orientation: Orientation, corners: tuple[int, int, int, int]
) -> None:
    picture = planar(frame_of(scene(61, 38), kind), orientation)
    height, width, _ = picture.shape
    left, right = sorted(min(x, width - 1) for x in corners[:2])
    top, bottom = sorted(min(y, height - 1) for y in corners[2:])
    window = left, top, right + 1, bottom + 1
    part = picture.part(window, (right + 1 - left, bottom + 1 - top))
    assert farthest(part, picture.whole()[top : bottom + 1, left : right + 1]) <= 2


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (853, 480), (320, 180)])
def test_the_detectors_picture_is_that_of_a_whole_conversion(orientation: Orientation, size: tuple[int, int]) -> None:
    picture = planar(frame_of(scene(*size)), orientation)
    found, right = halve_below(picture, 640), halve_below(picture.whole(), 640)
    assert farthest(found, right) <= (12 if size[0] % 2 else 4)  # the last column of colour is half outside
    assert np.abs(found - right.astype(float)).mean() < 1.2


@pytest.mark.parametrize("kind", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("orientation", [AS_STORED, Orientation(transposed=True, mirrored=True)])
@pytest.mark.parametrize("side_px", [50, 100, 150, 200, 290, 400])
@pytest.mark.parametrize("centre", [(0.52, 0.47), (0.05, 0.9)])
@pytest.mark.parametrize("roll", [0.0, 0.4])
def test_a_crop_is_that_of_a_whole_conversion_before_and_after_a_detection(
    kind: str, orientation: Orientation, side_px: int, centre: tuple[float, float], roll: float
) -> None:
    frame = frame_of(scene(640, 480), kind)
    picture = planar(frame, orientation)
    height, width, _ = picture.shape
    box = Box(centre[0] - side_px / width / 2, centre[1] - side_px / height / 2, side_px / width, side_px / height)
    eyes = np.array([centre, (centre[0] + np.cos(roll) / width, centre[1] + np.sin(roll) / height)], np.float32)
    face, spec = Face(box, 1.0, eyes), CropSpec(size=64, margin=0.1, align="roll")
    right = crop_face(picture.whole(), face, spec)
    assert farthest(crop_face(picture, face, spec), right) <= 16
    halve_below(picture, 640)
    after = crop_face(picture, face, spec)
    assert farthest(after, right) <= 16
    assert np.abs(after - right.astype(float)).mean() < 2


def test_a_smaller_overview_comes_of_the_one_that_is_there() -> None:
    picture, fresh = planar(frame_of(scene(640, 360))), planar(frame_of(scene(640, 360)))
    small = halve_below(picture, 640)
    seen = picture.part(whole_window(picture), (64, 48))
    assert seen.shape == (48, 64, 3)
    assert farthest(seen, fresh.part(whole_window(fresh), (64, 48))) <= 8
    assert farthest(picture.part(whole_window(picture), (640, 360)), picture.whole()) <= 2
    assert farthest(halve_below(picture, 640), small) <= 2


def test_a_reduced_part_may_begin_anywhere_after_a_detection_too() -> None:
    picture = planar(frame_of(scene(1280, 720)))
    window, size = (37, 23, 437, 263), (100, 60)
    before = picture.part(window, size)
    halve_below(picture, 640)
    assert farthest(picture.part(window, size), before) <= 1


def test_the_formats_of_old_jpeg_cameras_have_full_range_whatever_else_is_said() -> None:
    frame = frame_of(scene(64, 48), "yuvj420p")
    full = planar(frame).part((0, 0, 64, 48), (64, 48))
    frame.color_range = ColorRange.UNSPECIFIED
    assert farthest(planar(frame).part((0, 0, 64, 48), (64, 48)), full) == 0


def test_brightness_is_the_mean_of_all_pixels_it_stands_for() -> None:
    stripes = np.zeros((240, 320, 3), np.uint8)
    stripes[:, ::4] = stripes[::4] = 255  # a picture that is sampled, not averaged, shows black or white
    picture = planar(frame_of(stripes))
    small = picture.part(whole_window(picture), (40, 30))
    assert abs(float(small.mean()) - float(stripes.mean())) < 3
    assert float(small.std()) < 10


def test_what_differs_from_a_plain_8_bit_picture_is_converted_whole() -> None:
    image = scene(64, 48)
    assert is_planar(frame_of(image))
    for transfer in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67):
        bright = frame_of(image)
        bright.color_trc = transfer
        assert not is_planar(bright)
    wide = frame_of(image)
    wide.color_primaries = ColorPrimaries.BT2020
    assert not is_planar(wide)
    strange = frame_of(image)
    strange.colorspace = 8  # YCgCo
    assert not is_planar(strange)
    assert not is_planar(frame_of(image, "yuv420p10le"))
    assert not is_planar(av.VideoFrame.from_ndarray(image, format="bgr24"))
    assert not is_planar(frame_of(scene(64, 47)))  # odd height: FFmpeg blends colour as it does nowhere else


def test_parts_and_whole_pictures_are_made_by_any_thread() -> None:
    convert, mixer = BgrConverter().convert, Mixer()
    frames = [frame_of(np.full((480, 640, 3), 40 + 20 * number, np.uint8)) for number in range(8)]
    pictures = [PlanarPicture(frame, AS_STORED, convert, mixer) for frame in frames]

    def grey(number: int) -> tuple[float, float]:
        picture = pictures[number % 8]
        return float(picture.part((0, 0, 600, 400), (600, 400)).mean()), float(picture.whole().mean())

    with ThreadPoolExecutor(4) as pool:
        for number, found in enumerate(pool.map(grey, range(200))):
            assert found == pytest.approx((40 + 20 * (number % 8),) * 2, abs=4)
