"""Small pictures, each colour in a plane of its own: to the last bit what FFmpeg makes of the whole in BGR."""

from itertools import product

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.faces.crop import crop_face
from streamaffect.faces.cuts import CutWatch
from streamaffect.faces.shrink import halve_below, rgb_below
from streamaffect.runtime.manifest import CropSpec
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.video.canvas import Canvas
from streamaffect.sources.video.colour import BgrConverter, is_split_exactly
from streamaffect.sources.video.orientation import AS_STORED, Orientation
from streamaffect.sources.video.planes import SplitPicture
from streamaffect.types import Box, Face, ImageArray, pixels

FORMATS = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p")
SIZES = ((640, 360), (352, 288), (1280, 720), (48, 30))
ORIENTATIONS = [Orientation(*turns) for turns in product((False, True), repeat=3)]


def noise(width: int, height: int, kind: str = "yuv420p") -> VideoFrame:
    """Every value that a pixel may have, those that a conversion has to clip among them."""
    frame, rng = VideoFrame(width, height, kind), np.random.default_rng(width)
    for plane in frame.planes:
        plane.update(rng.bytes(plane.buffer_size))
    return frame


def both(frame: VideoFrame, orientation: Orientation = AS_STORED) -> tuple[SplitPicture, ImageArray]:
    """The frame in planes, and as it is converted whole."""
    assert is_split_exactly(frame)
    converter = BgrConverter()
    return SplitPicture(converter.split(frame), orientation), orientation.upright(converter.convert(frame))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("matrix", [Colorspace.ITU709, Colorspace.ITU601, 2])
@pytest.mark.parametrize("levels", [ColorRange.MPEG, ColorRange.JPEG, ColorRange.UNSPECIFIED])
def test_all_pixels_are_those_of_a_whole_conversion(kind: str, matrix: int, levels: int) -> None:
    frame = noise(112, 62, kind)
    frame.colorspace, frame.color_range = matrix, levels
    split, whole = both(frame)
    assert split.shape == whole.shape
    assert np.array_equal(split.whole(), whole)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("size", SIZES)
def test_the_detector_and_the_watch_for_cuts_see_what_they_see_of_a_whole_picture(
    orientation: Orientation, size: tuple[int, int]
) -> None:
    split, whole = both(noise(*size), orientation)
    right = halve_below(whole, 320)
    assert np.array_equal(halve_below(split, 320), right)
    assert np.array_equal(rgb_below(split, 320, None), cv2.cvtColor(right, cv2.COLOR_BGR2RGB))
    assert np.array_equal(samples(split), samples(whole))


def samples(picture: SplitPicture | ImageArray) -> ImageArray:
    watch = CutWatch(CropSpec(size=32, margin=0.0, align="none"))
    watch.judge(picture, 0.0, [], [])
    return watch._samples


@given(
    size=st.sampled_from(SIZES),
    orientation=st.sampled_from(ORIENTATIONS),
    centre=st.tuples(st.floats(-0.1, 1.1), st.floats(-0.1, 1.1)),
    side_px=st.floats(4, 900),
    roll=st.floats(-3.2, 3.2),
)
def test_a_crop_is_that_of_a_whole_picture_wherever_the_face_is(
    size: tuple[int, int], orientation: Orientation, centre: tuple[float, float], side_px: float, roll: float
) -> None:
    split, whole = both(noise(*size), orientation)
    height, width, _ = whole.shape
    box = Box(centre[0] - side_px / width / 2, centre[1] - side_px / height / 2, side_px / width, side_px / height)
    eyes = np.array([centre, (centre[0] + np.cos(roll) / width, centre[1] + np.sin(roll) / height)], np.float32)
    face, spec = Face(box, 1.0, eyes), CropSpec(size=64, margin=0.1, align="roll")
    assert np.array_equal(crop_face(split, face, spec), crop_face(whole, face, spec))


def test_a_part_is_that_part_of_the_picture() -> None:
    split, whole = both(noise(640, 360))
    assert np.array_equal(split.part((37, 23, 137, 123), (100, 100)), whole[23:123, 37:137])
    assert split.part((0, 0, 640, 360), (64, 48)).shape == (48, 64, 3)


@pytest.mark.parametrize("size", [(642, 360), (648, 360), (640, 361), (40, 30)])
def test_a_picture_whose_rows_ffmpeg_leaves_unfinished_is_converted_whole(size: tuple[int, int]) -> None:
    frame = noise(*size)
    assert not is_split_exactly(frame)
    shown = canvas().show(frame)
    assert isinstance(shown, np.ndarray)
    assert np.array_equal(shown, BgrConverter().convert(frame))


def test_each_frame_is_shown_in_the_way_that_fits_it_though_they_change_on_the_way() -> None:
    frames = [noise(640, 360), noise(642, 360), noise(1920, 1080), noise(640, 360), noise(640, 360, "yuv444p")]
    frames += [noise(640, 360, "yuv420p10le"), noise(640, 360, "gray"), noise(640, 360)]
    one = canvas()
    for frame in frames:
        shown = one.show(frame)
        assert np.array_equal(pixels(shown), BgrConverter().convert(frame))
    assert isinstance(one.show(frames[0]), SplitPicture)


def canvas() -> Canvas:
    with av.open(str(DEMO_CLIP)) as container:
        return Canvas(container.streams.video[0])
