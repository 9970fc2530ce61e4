import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect.errors import EngineError
from streamaffect.faces.boxes import iou
from streamaffect.faces.crop import crop_face
from streamaffect.faces.detectors.detector import MediaPipeDetector
from streamaffect.faces.quality import measure
from streamaffect.faces.tracker import Tracker
from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import Face, ImageArray
from tests.support.faces import demo_frames, noisy
from tests.support.no_network import can_forbid_network

ROOT = Path(__file__).parents[3]
RIGHT_EYE, LEFT_EYE, NOSE, MOUTH = range(4)

DETECT_ONCE = """
from streamaffect.faces.detectors.detector import MediaPipeDetector
from tests.support.faces import demo_frames
with MediaPipeDetector() as detector:
    for i, image in enumerate(demo_frames(10)):
        assert detector.detect(image, i / 25), "no face"
"""


@pytest.fixture(scope="module")
def frames() -> list[ImageArray]:
    return demo_frames(50)


@pytest.fixture
def detector() -> Iterator[MediaPipeDetector]:
    with MediaPipeDetector() as detector:
        yield detector


def run_child(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_face_of_the_demo_clip_is_found_in_every_frame(
    detector: MediaPipeDetector, frames: list[ImageArray]
) -> None:
    for i, image in enumerate(frames):
        (face,) = detector.detect(image, i / 25)
        assert face.score > 0.7
        assert 0 <= face.box.x < face.box.x + face.box.w <= 1


def test_keypoints_lie_where_their_names_say(detector: MediaPipeDetector, frames: list[ImageArray]) -> None:
    (face,) = detector.detect(frames[0], 0.0)
    assert face.keypoints is not None
    assert face.keypoints.shape == (6, 2)
    x, y = face.keypoints.T
    assert x[RIGHT_EYE] < x[NOSE] < x[LEFT_EYE], "the person's right eye is on the left of the picture"
    assert max(y[RIGHT_EYE], y[LEFT_EYE]) < y[NOSE] < y[MOUTH] < face.box.y + face.box.h


def test_the_face_has_its_place_whatever_the_size_of_the_frame(
    detector: MediaPipeDetector, frames: list[ImageArray]
) -> None:
    boxes = []
    for i, scale in enumerate((1.0, 2.5, 4.0)):
        image = cv2.resize(frames[0], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        boxes.append(detector.detect(np.asarray(image, np.uint8), float(i))[0].box)
    assert min(iou(boxes[0], box) for box in boxes) > 0.9


def test_a_part_of_a_frame_that_is_not_contiguous_in_memory_is_read_right(
    detector: MediaPipeDetector, frames: list[ImageArray]
) -> None:
    (mirrored,) = detector.detect(frames[0][:, ::-1], 0.0)
    (copied,) = detector.detect(np.ascontiguousarray(frames[0][:, ::-1]), 1.0)
    assert mirrored.box == copied.box


def test_stills_and_video_agree(detector: MediaPipeDetector, frames: list[ImageArray]) -> None:
    with MediaPipeDetector(mode="image") as stills:
        assert stills.detect(frames[5], 0.0)[0].box == detector.detect(frames[5], 0.0)[0].box


def test_times_that_repeat_or_go_back_are_accepted(detector: MediaPipeDetector, frames: list[ImageArray]) -> None:
    for time_s in (5.0, 5.0, 5.0001, 2.0, 0.0):
        assert len(detector.detect(frames[0], time_s)) == 1


def test_two_faces_are_found_the_larger_first_and_no_more_than_asked_for(frames: list[ImageArray]) -> None:
    height, width = frames[0].shape[:2]
    large = frames[0][:, (width - height) // 2 : (width + height) // 2]
    small = cv2.resize(large, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    filled = cv2.copyMakeBorder(small, 0, height - small.shape[0], 0, 0, cv2.BORDER_REPLICATE)
    pair = np.hstack((np.asarray(filled, np.uint8), large))
    with MediaPipeDetector(mode="image") as detector, MediaPipeDetector(mode="image", max_faces=1) as single:
        faces = detector.detect(pair, 0.0)
        assert len(faces) == 2
        assert faces[0].box.w > faces[1].box.w
        assert [face.box for face in single.detect(pair, 0.0)] == [faces[0].box]


@pytest.mark.parametrize("shape", [(360, 640, 3), (1, 1, 3), (2, 3000, 3)])
def test_a_picture_without_a_face_has_none(detector: MediaPipeDetector, shape: tuple[int, ...]) -> None:
    assert detector.detect(np.full(shape, 127, np.uint8), 0.0) == []


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((0, 9, 3), np.uint8)]
)
def test_what_is_no_bgr_picture_is_refused(detector: MediaPipeDetector, image: ImageArray) -> None:
    with pytest.raises(ValueError, match=r"expected a picture \(H, W, 3\) uint8 BGR"):
        detector.detect(image, 0.0)


def test_a_closed_detector_says_so_and_can_be_closed_again() -> None:
    detector = MediaPipeDetector()
    detector.close()
    detector.close()
    with pytest.raises(ValueError, match="closed"):
        detector.detect(np.zeros((9, 9, 3), np.uint8), 0.0)


def test_a_file_that_is_no_model_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"no model")
    with pytest.raises(EngineError, match=r"MediaPipe's face detector does not start \(.+\); reinstall mediapipe"):
        MediaPipeDetector(path, model_sha256=hashlib.sha256(b"no model").hexdigest())


def test_nothing_native_is_written_to_the_terminal() -> None:
    child = run_child(DETECT_ONCE)
    assert (child.returncode, child.stdout, child.stderr) == (0, "", "")


@pytest.mark.skipif(not can_forbid_network(), reason="only Linux can forbid system calls")
def test_detecting_never_tries_to_open_a_connection() -> None:
    guard = "from tests.support.no_network import forbid_network\nforbid_network()\n"
    probe = run_child(guard + "import socket\nsocket.socket(socket.AF_INET)")
    if "refuses the filter" in probe.stderr:
        pytest.skip("this kernel does not filter system calls")
    assert probe.returncode == -signal.SIGSYS, "the guard lets connections through"
    child = run_child(guard + DETECT_ONCE)
    assert child.returncode == 0, child.stderr


def test_the_jitter_of_a_face_at_rest_is_halved_by_the_tracker(
    detector: MediaPipeDetector, frames: list[ImageArray]
) -> None:
    tracker = Tracker()
    raw: list[Face] = []
    smooth: list[Face] = []
    for i, image in enumerate(noisy(frames[0], 90)):
        found = detector.detect(image, i / 30)
        update = tracker.update(found, i / 30)
        if i >= 30:
            raw += found
            smooth += [tracked.face for tracked in update.tracks]
    assert len(raw) == len(smooth) == 60
    assert _jitter(smooth) < 0.5 * _jitter(raw)


def test_a_whole_clip_is_one_track_of_good_quality(detector: MediaPipeDetector, frames: list[ImageArray]) -> None:
    tracker, spec = Tracker(), CropSpec(64, 0.1, "roll")
    for i, image in enumerate(frames):
        update = tracker.update(detector.detect(image, i / 25), i / 25)
        for tracked in update.tracks:
            assert (tracked.track, tracked.visible) == (0, True)
            crop = crop_face(image, tracked.face, spec)
            assert measure(crop, tracked.face, image.shape, spec).overall > 0.6
    assert update.tracks


def _jitter(faces: list[Face]) -> float:
    """Mean standard deviation of the keypoints in face widths."""
    points = np.array([face.keypoints for face in faces])
    return float(points.std(axis=0).mean()) / faces[0].box.w


def test_it_asks_no_sound_server_and_leaves_the_import_of_others_alone() -> None:
    """MediaPipe imports `sounddevice`, which looks for sound servers, where PortAudio is at hand."""
    words = (
        "import sys; from streamaffect.faces.detectors.detector import MediaPipeDetector; "
        "detector = MediaPipeDetector(); "
        "print('sounddevice' in sys.modules, any('NoSound' in type(one).__name__ for one in sys.meta_path)); "
        "detector.close()"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
