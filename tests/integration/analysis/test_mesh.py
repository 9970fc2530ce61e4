"""The real landmarker on real faces: what it says has the right sides and places, and nobody waits for it."""

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from streamaffect import analyze, analyze_image
from streamaffect.cli import main
from streamaffect.errors import LensError
from streamaffect.lenses.mesh.landmarker import BLENDSHAPES, INSTALL, find_task
from streamaffect.messages import Estimate
from streamaffect.recordings.reading import read_recording
from streamaffect.types import ImageArray

DEMO = Path(__file__).parents[3] / "streamaffect" / "assets" / "demo.mp4"
EXACT = {"backend": "onnxruntime", "precision": "fp32"}


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    try:
        find_task()
    except LensError:
        pytest.skip(f"MediaPipe's face landmarker is not installed: {INSTALL}")


@pytest.fixture(scope="module")
def picture() -> ImageArray:
    capture = cv2.VideoCapture(str(DEMO))
    return np.asarray(capture.read()[1], np.uint8)


def turned(picture: ImageArray, degrees: float) -> ImageArray:
    """Clockwise."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height)), np.uint8)


def of_still(picture: ImageArray) -> dict[str, float]:
    (face,) = analyze_image(picture, engine="onnxruntime", lenses="mesh")
    return face.outputs["mesh"]


def test_a_file_has_it_at_its_rate_the_same_each_time_and_the_rest_is_bit_equal() -> None:
    def estimates(*lenses: str) -> list[Estimate]:
        points = {"mesh_points": True}
        return list(analyze(DEMO, engine=EXACT, lenses=lenses, run={"max_seconds": 1.0}, lens=points))

    first, again, bare = estimates("mesh"), estimates("mesh"), estimates()
    assert first == again
    assert [msgspec.structs.replace(one, outputs=two.outputs) for one, two in zip(first, bare, strict=True)] == bare
    times = [estimate.pts_s for estimate in first if "mesh" in estimate.outputs]
    assert 4 <= len(times) <= 6  # 5 Hz
    for estimate in first:
        if values := estimate.outputs.get("mesh"):
            assert set(BLENDSHAPES) < set(values)
            assert values["age_s"] == 0.0
            x, y = (np.array([values[f"{axis}_{i}"] for i in range(478)]) for axis in ("x", "y"))
            box = estimate.box
            assert (np.abs(x - box.x - box.w / 2) < box.w).all()
            assert (np.abs(y - box.y - box.h / 2) < box.h).all()
            assert abs(float(np.mean(x)) - box.x - box.w / 2) < 0.15 * box.w


def test_in_a_mirror_yaw_and_roll_change_their_sign_and_left_is_right(picture: ImageArray) -> None:
    tilted = turned(picture, 15)
    seen, mirrored = of_still(tilted), of_still(np.ascontiguousarray(tilted[:, ::-1]))
    assert seen["roll"] > 10
    assert mirrored["roll"] == pytest.approx(-seen["roll"], abs=4)
    assert mirrored["yaw"] == pytest.approx(-seen["yaw"], abs=4)
    assert mirrored["pitch"] == pytest.approx(seen["pitch"], abs=4)
    assert mirrored["left_eye_open"] == pytest.approx(seen["right_eye_open"], abs=0.06)


@pytest.mark.parametrize("degrees", [-35, 20])
def test_a_picture_that_is_turned_clockwise_adds_to_the_roll(picture: ImageArray, degrees: float) -> None:
    seen, then = of_still(picture), of_still(turned(picture, degrees))
    assert then["roll"] == pytest.approx(seen["roll"] + degrees, abs=4)
    assert then["left_eye_open"] == pytest.approx(seen["left_eye_open"], abs=0.06)


def test_a_live_stream_has_it_from_a_thread_of_its_own_and_keeps_it_in_the_recording(tmp_path: Path) -> None:
    recording = tmp_path / "run.jsonl"
    words = ["record", "--source", "demo", "--max-seconds", "3", "--lens", "mesh", "--record", str(recording)]
    assert main([*words, "--no-display", "--bind", "tcp://127.0.0.1:0", "--engine", "onnxruntime"]) == 0
    spoken = [message for message in read_recording(recording) if isinstance(message, Estimate)]
    said = [estimate.outputs["mesh"] for estimate in spoken if "mesh" in estimate.outputs]
    assert said
    assert len(said) < len(spoken)
    assert all("x_0" not in one for one in said)
    assert all(one["age_s"] > 0 for one in said)
    assert read_recording(recording).header.heads[-1].kind == "mesh"


def test_a_wrong_file_ends_the_run_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "face.task"
    wrong.write_bytes(b"nothing")
    assert main(["run", "--source", "demo", "--lens", f"mesh={wrong}", "--no-display"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"streamaffect: --lens mesh: {wrong} has sha256")


def test_the_list_of_lenses_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lenses", "--json"]) == 0
    entry = msgspec.json.decode(capsys.readouterr().out)[-1]
    assert entry["name"] == "mesh"
    assert "unusable" not in entry
