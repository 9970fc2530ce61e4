import threading
from itertools import pairwise

import cv2
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel

from streamaffect.errors import SourceEndedError
from streamaffect.faces.detectors.detector import MediaPipeDetector
from streamaffect.sources.demo import DEMO_CLIP, DemoSource
from streamaffect.sources.file import FileSource
from streamaffect.sources.synthetic import Scene, SyntheticSource
from streamaffect.sources.video.container import Container, open_file
from streamaffect.types import ImageArray
from tests.support.videos import write_video


def demo_pictures() -> list[ImageArray]:
    pictures = []
    with FileSource(DEMO_CLIP) as source:
        source.open()
        while True:
            try:
                pictures.append(source.read().image)
            except SourceEndedError:
                return pictures


def change(a: ImageArray, b: ImageArray) -> float:
    return float(cv2.absdiff(a, b).mean())


def test_the_demo_clip_is_small_and_has_one_large_face_throughout() -> None:
    assert DEMO_CLIP.stat().st_size < 1_500_000
    with FileSource(DEMO_CLIP) as source:
        info = source.open()
    assert (info.width, info.height, info.fps, info.duration_s) == (640, 360, 25.0, 10.0)
    with MediaPipeDetector() as detector:
        for number, picture in enumerate(demo_pictures()[::10]):
            (face,) = detector.detect(picture, number * 0.4)
            assert face.box.w * info.width > 130


def test_the_loop_of_the_demo_clip_has_no_seam() -> None:
    pictures = demo_pictures()
    steps = [change(a, b) for a, b in pairwise(pictures)]
    assert change(pictures[-1], pictures[0]) < 1.5 * max(steps)


def test_the_demo_goes_on_through_its_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    clip = write_video(tmp_path_factory.mktemp("demo") / "v.mp4", frames=4, fps=100.0)
    with DemoSource(clip) as source:
        info = source.open()
        frames = [source.read() for _ in range(10)]
    assert (info.live, info.frames, info.duration_s) == (True, None, None)
    assert [frame.index for frame in frames] == list(range(10))
    assert all(later.time_s > earlier.time_s for earlier, later in pairwise(frames))
    assert np.array_equal(frames[0].image, frames[4].image)
    assert np.array_equal(frames[1].image, frames[9].image)
    assert frames[-1].time_s - frames[0].time_s >= 0.089


def test_the_demo_is_opened_once_and_sought_at_its_end(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_and_count(target: str, label: str, hwaccel: HWAccel | None = None) -> Container:
        opened.append(target)
        return open_file(target, label, hwaccel)

    monkeypatch.setattr("streamaffect.sources.video.av_reader.open_file", open_and_count)
    clip = write_video(tmp_path_factory.mktemp("demo") / "v.mp4", frames=4, fps=200.0)
    with DemoSource(clip) as source:
        source.open()
        assert [source.read().index for _ in range(13)] == list(range(13))
    assert len(opened) == 1


def test_closing_ends_the_demo_from_another_thread() -> None:
    source = DemoSource()
    source.open()
    threading.Timer(0.1, source.close).start()
    with pytest.raises(SourceEndedError):
        while True:
            source.read()


@pytest.mark.parametrize(("faces", "size"), [(0, (640, 360)), (1, (640, 360)), (3, (1280, 720)), (4, (1280, 720))])
def test_the_detector_finds_every_synthetic_face(faces: int, size: tuple[int, int]) -> None:
    with (
        SyntheticSource(Scene(faces=faces, size=size, fps=1000.0)) as source,
        MediaPipeDetector(max_faces=8) as detector,
    ):
        source.open()
        pictures = [source.read() for _ in range(20)]
        assert {len(detector.detect(frame.image, frame.index * 0.04)) for frame in pictures} == {faces}
        assert pictures[0].image.shape == (size[1], size[0], 3)


def test_synthetic_frames_are_the_same_in_every_run_and_move() -> None:
    scene = Scene(faces=2, fps=100.0, seconds=0.1)
    runs = []
    for _ in range(2):
        with SyntheticSource(scene) as source:
            source.open()
            runs.append([source.read().image for _ in range(10)])
            with pytest.raises(SourceEndedError):
                source.read()
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))
    assert not np.array_equal(runs[0][0], runs[0][9])


@pytest.mark.parametrize("faces", [1, 2, 3, 5, 8, 13, 64])
@pytest.mark.parametrize("size", [(64, 64), (640, 360), (360, 640)])
def test_any_number_of_synthetic_faces_fits_any_picture(faces: int, size: tuple[int, int]) -> None:
    with SyntheticSource(Scene(faces=faces, size=size, fps=1000.0)) as source:
        source.open()
        assert source.read().image.shape == (size[1], size[0], 3)
