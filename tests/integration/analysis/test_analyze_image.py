"""Stills through the shipped bundle and through one that can be computed by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect import ConfigError, analyze_image
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.video.reader import open_video
from streamaffect.types import ImageArray, pixels
from tests.support.bundles import write_bundle

WHOLE = (0.0, 0.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def demo_frames() -> list[ImageArray]:
    reader = open_video(DEMO_CLIP)
    frames = [pixels(decoded[1]) for decoded in iter(reader.next, None)]
    reader.close()
    return frames


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("still") / "bundle")


def test_the_smile_of_the_demo_clip_is_above_its_sad_phase(demo_frames: list[ImageArray]) -> None:
    valence = [estimate.valence or 0.0 for frame in demo_frames[::10] for estimate in analyze_image(frame)]
    assert len(valence) == len(demo_frames[::10])
    assert max(valence) > 0.5
    assert min(valence) < max(valence) - 0.6


def test_a_still_is_complete_and_says_how_little_context_it_has(demo_frames: list[ImageArray]) -> None:
    [estimate] = analyze_image(demo_frames[0])
    assert (estimate.status, estimate.coverage, estimate.stream) == ("ok", 1.0, "image")
    assert estimate.context_fill == pytest.approx(0.2)
    assert sum(estimate.outputs["emotions"].values()) == pytest.approx(1.0, abs=1e-4)
    assert estimate.valence_interval is not None
    low, high = estimate.valence_interval
    assert low <= (estimate.valence or 0.0) <= high


def test_a_picture_and_its_mirror_image_are_estimated_alike(demo_frames: list[ImageArray]) -> None:
    face = demo_frames[0][40:296, 190:446]  # a whole multiple of the crop, so that it shrinks alike
    [straight] = analyze_image(face, boxes=[WHOLE])
    [mirrored] = analyze_image(np.ascontiguousarray(face[:, ::-1]), boxes=[WHOLE])
    assert straight.valence == pytest.approx(mirrored.valence, abs=1e-5)


def test_boxes_are_answered_in_their_order_and_by_what_they_show(colours: Path) -> None:
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, :64, 2] = 255  # BGR: the left half is red
    right, left = (0.5, 0.0, 0.5, 1.0), (0.0, 0.0, 0.5, 1.0)
    found = analyze_image(picture, boxes=[right, left], bundle=colours)
    assert [estimate.valence for estimate in found] == pytest.approx([-1.0, 1.0], abs=0.05)
    assert [tuple(estimate.box) for estimate in found] == [right, left]


def test_every_face_of_a_group_is_estimated(demo_frames: list[ImageArray]) -> None:
    heads = [np.asarray(cv2.resize(frame[5:305, 205:435], (230, 300)), np.uint8) for frame in demo_frames[:12]]
    group = np.vstack([np.hstack(heads[row : row + 4]) for row in (0, 4, 8)])
    assert len(analyze_image(group)) == 12


def test_why_there_is_no_face_is_said_of_the_first_such_picture(
    colours: Path, demo_frames: list[ImageArray], caplog: pytest.LogCaptureFixture
) -> None:
    far = np.full((480, 640, 3), 90, np.uint8)
    far[200:260, 300:346] = cv2.resize(demo_frames[0][5:305, 205:435], (46, 60), interpolation=cv2.INTER_AREA)
    for picture in (far, far, np.zeros((200, 300, 3), np.uint8)):
        assert analyze_image(picture, bundle=colours) == []
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith("no face was found: 1 face is too small for a whole picture of 640x480; cut out the part")


def test_a_picture_without_a_face_has_no_estimate() -> None:
    assert analyze_image(np.full((240, 320, 3), 90, np.uint8)) == []


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((9, 9, 3)),
    ],
    ids=["grey", "four channels", "empty", "float"],
)
def test_what_is_no_picture_is_refused_with_its_shape(image: ImageArray) -> None:
    with pytest.raises(ConfigError, match=r"must be \(H, W, 3\) uint8 BGR"):
        analyze_image(image)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (None, "got None, which is what cv2.imread gives for a file that it cannot read$"),
        ("me.jpg", r"got a path: read it with cv2\.imread\('me\.jpg'\), or analyze a video$"),
        (Path("me.jpg"), r"got a path: read it with cv2\.imread\('me\.jpg'\)"),
        ([np.zeros((9, 9, 3), np.uint8)], "got a list: one picture at a time$"),
        (7, "got an int"),
    ],
    ids=["nothing", "path as text", "path", "list", "number"],
)
def test_what_is_no_array_is_refused_by_what_it_is(image: object, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^image must be \(H, W, 3\) uint8 BGR.*" + said):
        analyze_image(image)  # type: ignore[arg-type]


@pytest.mark.parametrize("box", [(0, 0, 1), (0, 0, 0, 1), (0, 0, float("nan"), 1)])
def test_a_box_that_is_none_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="is not"):
        analyze_image(np.zeros((32, 32, 3), np.uint8), boxes=[box])
