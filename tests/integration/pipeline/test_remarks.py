"""Why a video has given no estimate: nothing there, too brief, too small, too unsure; who is left out of a crowd."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

import streamaffect
from streamaffect.config import load_config
from streamaffect.messages import Estimate, Health
from streamaffect.pipeline.opening import open_streams
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import ImageArray
from tests.support.bundles import write_bundle
from tests.support.faces import demo_frames

GREY = 90


@pytest.fixture(scope="module")
def frames() -> list[ImageArray]:
    return demo_frames(40)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_bundle(tmp_path_factory.mktemp("remarks") / "bundle", abstain_below=0.02))


def video(path: Path, frames: Sequence[ImageArray], fps: float = 25.0) -> Path:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def empty(width: int = 640, height: int = 360) -> ImageArray:
    return np.full((height, width, 3), GREY, np.uint8)


def place(image: ImageArray, width: int, height: int) -> ImageArray:
    """In the middle of an empty picture."""
    picture = empty(width, height)
    top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    picture[top : top + image.shape[0], left : left + image.shape[1]] = image
    return picture


def upside_down(frame: ImageArray) -> ImageArray:
    """Smaller and turned by 170 degrees, so that the detector is unsure of it."""
    height, width = frame.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 170, 0.45)
    return np.asarray(cv2.warpAffine(frame, turn, (width, height), borderValue=(GREY, GREY, GREY)), np.uint8)


def head(frame: ImageArray) -> ImageArray:
    """The demo's head with what is around it."""
    return frame[5:305, 205:435]


def crowd(frames: Sequence[ImageArray], columns: int, rows: int, size: tuple[int, int]) -> list[ImageArray]:
    """A large picture full of faces."""
    pictures = []
    width, height = size
    for frame in frames:
        picture = empty(1920, 1080)
        for number in range(columns * rows):
            row, column = divmod(number, columns)
            left, top = column * 1920 // columns, row * 1080 // rows
            picture[top : top + height, left : left + width] = cv2.resize(head(frame), size)
        pictures.append(picture)
    return pictures


def run(path: Path, bundle: Bundle, **tracker: object) -> tuple[Pipeline, list[object]]:
    config = load_config(flags={"tracker": tracker})
    streams = open_streams([f"clip={path}"], config, bundle)
    pipeline = Pipeline(streams, bundle, OnnxRuntimeEngine(bundle), settings=config.source)
    return pipeline, list(pipeline.messages())


def remark(path: Path, bundle: Bundle) -> str:
    [text] = run(path, bundle)[0].remarks
    return text


def test_a_video_with_estimates_is_not_remarked_on(tmp_path: Path, frames: list[ImageArray], bundle: Bundle) -> None:
    pipeline, messages = run(video(tmp_path / "clip.avi", frames), bundle)
    assert any(isinstance(message, Estimate) for message in messages)
    assert list(pipeline.remarks) == []


def test_a_video_without_any_face_says_so(tmp_path: Path, bundle: Bundle) -> None:
    path = video(tmp_path / "clip.avi", [empty()] * 20)
    assert remark(path, bundle) == "clip: no face was found in 20 frames: none was seen, nor anything like one"


def test_one_frame_with_a_face_is_a_picture(tmp_path: Path, frames: list[ImageArray], bundle: Bundle) -> None:
    said = remark(video(tmp_path / "clip.avi", frames[:1]), bundle)
    assert said.startswith("clip: no face was found in 1 frame: one is in it, but one frame is no stream")


def test_frames_that_are_far_apart_are_no_stream(tmp_path: Path, frames: list[ImageArray], bundle: Bundle) -> None:
    said = remark(video(tmp_path / "clip.avi", frames[::8], fps=0.4), bundle)
    assert "one was seen in 5 of them, but they are 2.5 s apart" in said


def test_a_face_that_was_seen_too_briefly_is_told(tmp_path: Path, frames: list[ImageArray], bundle: Bundle) -> None:
    pictures = [empty() for _ in range(20)]
    pictures[7] = frames[7]
    said = remark(video(tmp_path / "clip.avi", pictures), bundle)
    assert "one was seen in 1 of them, too briefly to be believed; tracker.confirm_hits" in said


def test_faces_that_are_too_small_are_told_with_the_setting_that_finds_them(
    tmp_path: Path, frames: list[ImageArray], bundle: Bundle
) -> None:
    path = video(tmp_path / "clip.avi", crowd(frames[:8], 8, 4, (100, 130)))
    said = remark(path, bundle)
    assert "faces are too small for a whole picture of 1920x1080; --set faces.tiles=" in said
    tiles = int(said.partition("faces.tiles=")[2][0])
    estimates = list(streamaffect.analyze(path, bundle=bundle, faces={"tiles": tiles}))
    assert len({estimate.track for estimate in estimates}) == 8  # no more are followed


def test_an_unsure_face_is_told_with_its_score(tmp_path: Path, frames: list[ImageArray], bundle: Bundle) -> None:
    blurred = [cv2.GaussianBlur((frame * 0.35).astype(np.uint8), (91, 91), 22) for frame in frames[:10]]
    said = remark(video(tmp_path / "clip.avi", [np.asarray(one, np.uint8) for one in blurred]), bundle)
    assert "what looks most like one has a score of 0." in said
    assert said.endswith("below faces.min_score 0.5")


def test_a_face_that_is_found_only_turned_is_told_with_what_helps(
    tmp_path: Path, frames: list[ImageArray], bundle: Bundle
) -> None:
    fallen = [upside_down(frame) for frame in frames[:20]]
    said = remark(video(tmp_path / "clip.avi", fallen), bundle)
    why = "one is in it on its side or upside down; turn the camera, or --set faces.min_score="
    assert said.startswith(f"clip: no face was found in 20 frames: {why}")
    fallen[7] = frames[7]
    said = remark(video(tmp_path / "clip.avi", fallen), bundle)
    assert "one was seen in 1 of them, too briefly to be believed" in said
    assert f". Of the others: {why}" in said


def test_faces_that_are_all_too_poor_are_told_with_what_is_wrong(
    tmp_path: Path, frames: list[ImageArray], bundle: Bundle
) -> None:
    strict = load_bundle(write_bundle(tmp_path / "strict", abstain_below=0.6))
    soft = [np.asarray(cv2.GaussianBlur(frame, (0, 0), 8), np.uint8) for frame in frames[:10]]
    said = remark(video(tmp_path / "soft.avi", soft), strict)
    assert said == "clip: no estimate in 10 frames: all 7 frames with a face are too poor: it is too blurred (7)"
    small = [place(np.asarray(cv2.resize(head(frame), (30, 39)), np.uint8), 100, 75) for frame in frames[:10]]
    said = remark(video(tmp_path / "small.avi", small), strict)
    assert said == "clip: no estimate in 10 frames: all 7 frames with a face are too poor: it is too small (7)"


def test_analyze_says_it_too(tmp_path: Path, bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    assert list(streamaffect.analyze(video(tmp_path / "clip.avi", [empty()] * 5), bundle=bundle)) == []
    assert "clip: no face was found in 5 frames" in caplog.text


def test_faces_beyond_the_limit_are_counted_and_said_once(
    tmp_path: Path, frames: list[ImageArray], bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    path = video(tmp_path / "clip.avi", crowd(frames[:12], 4, 2, (380, 500)))
    _, messages = run(path, bundle, max_faces=3)
    estimates = [message for message in messages if isinstance(message, Estimate)]
    health = [message for message in messages if isinstance(message, Health)][-1]
    assert {estimate.track for estimate in estimates} == {0, 1, 2}
    assert (health.faces, health.faces_left_out) == (3, 5)
    said = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert said == ["clip: 5 faces in view are left out, 3 are followed; --set tracker.max_faces=8 would follow all"]


def test_small_faces_in_a_large_picture_are_said_once(
    tmp_path: Path, frames: list[ImageArray], bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = crowd(frames, 8, 4, (100, 130))
    for picture, frame in zip(pictures, frames, strict=True):
        picture[:760, :600] = cv2.resize(head(frame), (600, 760))
    run(video(tmp_path / "clip.avi", pictures), bundle)
    said = [record.getMessage() for record in caplog.records if "too small" in record.getMessage()]
    assert len(said) == 1
    assert "faces are too small to be found in the whole picture of 1920x1080" in said[0]
