"""Pictures of large videos are made of the decoder's planes when somebody asks: real files, and the real detector."""

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamaffect.config import Config
from streamaffect.errors import SourceEndedError
from streamaffect.faces.crop import crop_face
from streamaffect.faces.detectors.detector import FaceDetector
from streamaffect.pipeline.opening import make_detector
from streamaffect.runtime.manifest import CropSpec
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.file import FileSource
from streamaffect.sources.video.reader import open_video
from streamaffect.types import Frame, ImageArray, pixels
from tests.support.videos import turn_sideways

SPEC = CropSpec(size=64, margin=0.1, align="roll")


@pytest.fixture(scope="module")
def face() -> ImageArray:
    """A face in 1080p."""
    with closing(open_video(DEMO_CLIP)) as reader:
        shown = reader.next()
    assert shown is not None
    return np.asarray(cv2.resize(pixels(shown[1]), (1920, 1080), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.fixture(scope="module")
def detector() -> Iterator[FaceDetector]:
    with closing(make_detector(Config(), mode="image")) as detector:
        yield detector


def write(
    path: Path, image: ImageArray, *, frames: int = 3, aspect: Fraction = Fraction(1), interlaced: bool = False
) -> Path:
    options = {"flags": "+ildct+ilme", "top": "1"} if interlaced else {}
    with av.open(str(path), "w") as container:
        track = container.add_stream("mpeg4", rate=25, options=options)
        track.height, track.width = image.shape[:2]
        track.pix_fmt, track.bit_rate = "yuv420p", 12_000_000
        track.codec_context.sample_aspect_ratio = aspect
        for _ in range(frames):
            container.mux(track.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(track.encode(None))
    return path


def read(path: Path) -> list[Frame]:
    frames = []
    with FileSource(path) as source:
        source.open()
        try:
            while True:
                frames.append(source.read())
        except SourceEndedError:
            return frames


def is_made(frame: Frame) -> bool:
    return isinstance(frame.picture, np.ndarray) or frame.picture.channels is not None


@pytest.mark.parametrize("sideways", [False, True])
def test_faces_and_crops_are_those_of_the_whole_picture(
    face: ImageArray, detector: FaceDetector, sideways: bool, tmp_path: Path
) -> None:
    if sideways:
        file = write(tmp_path / "a.mp4", np.asarray(cv2.rotate(face, cv2.ROTATE_90_COUNTERCLOCKWISE), np.uint8))
        turn_sideways(file)
    else:
        file = write(tmp_path / "a.mp4", face)
    frames = read(file)
    assert len(frames) == 3
    for frame in frames:
        assert not is_made(frame)
        assert frame.picture.shape == (1080, 1920, 3)
        (found,), (right,) = detector.detect(frame.picture, 0.0), detector.detect(frame.image, 0.0)
        assert np.abs(np.subtract(found.box, right.box)).max() < 0.01
        crop, whole = crop_face(frame.picture, right, SPEC), crop_face(frame.image, right, SPEC)
        assert np.abs(crop.astype(int) - whole).mean() < 2


def test_a_picture_outlives_its_file(face: ImageArray, tmp_path: Path) -> None:
    frames = read(write(tmp_path / "a.mkv", face, frames=6))
    assert len(frames) == 6
    for frame in frames:
        assert np.abs(frame.image.astype(int) - face).mean() < 4


def test_small_and_strange_pictures_are_made_at_once(face: ImageArray, tmp_path: Path) -> None:
    small = np.asarray(cv2.resize(face, (1280, 720)), np.uint8)
    assert all(is_made(frame) for frame in read(write(tmp_path / "small.mkv", small)))
    wide = read(write(tmp_path / "wide.mkv", face, aspect=Fraction(1, 2)))
    assert [frame.picture.shape for frame in wide] == [(1080, 960, 3)] * 3
    assert all(is_made(frame) for frame in wide)


def test_large_interlaced_pictures_come_out_whole(face: ImageArray, tmp_path: Path) -> None:
    frames = read(write(tmp_path / "a.mkv", face, interlaced=True))
    assert len(frames) == 3
    assert np.abs(frames[-1].image.astype(int) - face).mean() < 4


def test_after_damage_the_pictures_go_on(face: ImageArray, tmp_path: Path) -> None:
    file = write(tmp_path / "a.mkv", face, frames=14)
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    file.write_bytes(data)
    frames = read(file)
    assert 7 <= len(frames) <= 14
    assert {frame.image.shape for frame in frames} == {(1080, 1920, 3)}
    assert np.abs(frames[-1].image.astype(int) - face).mean() < 40
