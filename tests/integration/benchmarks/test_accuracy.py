"""`benchmarks/accuracy.py` on a small folder in the layout that it scores, with a bundle that reads brightness."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import streamaffect
from streamaffect.types import ImageArray
from tests.support.bundles import write_bundle
from tests.support.faces import demo_frames

ROOT = Path(__file__).parents[3]
VOTE_KINDS = 10
HAPPINESS, SADNESS = 1, 3


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("accuracy") / "bundle")


def run(data: Path, bundle: Path, *options: str) -> tuple[dict[tuple[str, str], dict[str, Any]], str]:
    """The rows by part and figure, and what was printed."""
    out = data / "accuracy.json"
    child = subprocess.run(
        [sys.executable, "benchmarks/accuracy.py", "--data", str(data), "--bundle", str(bundle), "--out", str(out),
         *options],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    rows = json.loads(out.read_text())["results"]
    return {(row["part"], row["figure"]): row for row in rows}, child.stdout


def write_crowd(data: Path, greys: list[int], votes: list[int], splits: list[int]) -> None:
    """Flat pictures of these grey levels; all votes for one emotion."""
    encoded = [
        cv2.imencode(".webp", np.full((48, 48), grey, np.uint8), (cv2.IMWRITE_WEBP_QUALITY, 101))[1] for grey in greys
    ]
    table = np.zeros((len(greys), VOTE_KINDS), np.uint8)
    table[np.arange(len(greys)), votes] = 10
    (data / "ferplus").mkdir()
    np.savez(
        data / "ferplus" / "faces.npz",
        webp=np.concatenate(encoded), offsets=np.cumsum([0, *(len(part) for part in encoded)]), votes=table,
        split=np.array(splits),
    )  # fmt: skip


def concordance(a: list[float], b: list[float]) -> float:
    x, y = np.array(a), np.array(b)
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return float(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


def test_crowd_faces_are_scored_as_cut_without_those_of_the_training_part(tmp_path: Path, bundle: Path) -> None:
    greys, votes = [250, 30, 200, 60], [HAPPINESS, SADNESS, HAPPINESS, SADNESS]
    write_crowd(tmp_path, [*greys, 10, 10], [*votes, HAPPINESS, HAPPINESS], [1, 1, 1, 1, 0, 0])
    rows, printed = run(tmp_path, bundle)
    truth = [0.81 if vote == HAPPINESS else -0.63 for vote in votes]
    found = rows["FER+", "CCC to the votes, valence"]
    assert found["rows"] == 4
    assert found["value"] == pytest.approx(concordance([2 * grey / 255 - 1 for grey in greys], truth), abs=1e-3)
    assert found["low"] <= found["value"] <= found["high"]
    assert "london/" in printed
    assert "videos/" in printed


def test_what_a_picture_loses_by_less_light_is_measured(tmp_path: Path, bundle: Path) -> None:
    greys, votes = [250, 30, 200, 60], [HAPPINESS, SADNESS, HAPPINESS, SADNESS]
    write_crowd(tmp_path, greys, votes, [1] * 4)
    rows, _ = run(tmp_path, bundle)
    truth = [0.81 if vote == HAPPINESS else -0.63 for vote in votes]
    clean, dark = ([2 * grey * light / 255 - 1 for grey in greys] for light in (1, 0.7))
    lost = concordance(clean, truth) - concordance(dark, truth)
    assert lost > 0.05
    assert rows["FER+", "light -30 %: loss of CCC, valence"]["value"] == pytest.approx(lost, abs=0.01)
    assert rows["FER+", "roll +15°: loss of CCC, valence"]["value"] == pytest.approx(0, abs=1e-3)


def test_errors_by_light_and_pose_are_those_of_the_pictures_in_question(tmp_path: Path, bundle: Path) -> None:
    greys, votes = list(range(20, 240, 10)), [HAPPINESS, SADNESS] * 11
    write_crowd(tmp_path, greys, votes, [1] * 22)
    aside = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])  # 37° to the side
    rotation = np.stack([np.eye(3)] * 11 + [aside] * 11).reshape(22, 9)
    np.savez(tmp_path / "ferplus" / "faces_teacher.npz", rotation=rotation)
    rows, _ = run(tmp_path, bundle, "--spoilt", "15")
    truth = np.array([0.81 if vote == HAPPINESS else -0.63 for vote in votes])
    error = np.abs(2 * np.array(greys) / 255 - 1 - truth)
    turned = rows["FER+ by yaw", "|yaw| over 30°: mean absolute error, valence"]
    assert turned["value"] == pytest.approx(error[11:].mean(), abs=2e-3)
    assert turned["rows"] == 11
    assert rows["FER+ by pitch", "within 10°: mean absolute error, valence"]["rows"] == 22
    dark = rows["FER+ by light", "× 0.25: mean absolute error, valence"]
    of_all = np.abs(2 * np.array(greys) / 4 / 255 - 1 - truth)
    assert dark["rows"] == 15
    assert np.sort(of_all)[:15].mean() - 2e-3 <= dark["value"] <= np.sort(of_all)[-15:].mean() + 2e-3
    assert rows["FER+ by size", "32 px: share with an estimate"]["value"] == 1.0


def test_a_bundle_without_the_eight_emotions_is_scored_on_the_rest(tmp_path: Path, bundle: Path) -> None:
    write_crowd(tmp_path, [250, 30], [HAPPINESS, SADNESS], [1, 1])
    rows, printed = run(tmp_path, bundle, "--no-robustness")
    assert "skipped: accuracy over the eight emotions" in printed
    assert not any("accuracy" in name or "loss" in name for _, name in rows)
    assert rows["bundle", "size, MB"]["value"] > 0
    assert rows["bundle", "frame encoder, ms a crop"]["value"] > 0
    assert "onnxruntime CPU fp32" in rows["bundle", "frame encoder in fp32, ms a crop"]["note"]


def test_a_sample_is_of_the_asked_size_and_repeats_with_its_seed(tmp_path: Path, bundle: Path) -> None:
    write_crowd(tmp_path, list(range(20, 240, 10)), [HAPPINESS, SADNESS] * 11, [1] * 22)
    first, again, other = (
        run(tmp_path, bundle, "--no-robustness", "--limit", "8", "--seed", seed)[0]["FER+", "CCC to the votes, valence"]
        for seed in ("3", "3", "4")
    )
    assert first["rows"] == 8
    assert first == again
    assert first["value"] != other["value"]


def brighter(image: ImageArray, factor: float) -> ImageArray:
    return np.asarray((image * factor).clip(0, 255), np.uint8)


def test_pairs_count_smiles_above_the_same_person_s_neutral_face(tmp_path: Path, bundle: Path) -> None:
    (frame,) = demo_frames(1)
    (tmp_path / "london").mkdir()
    for person, neutral, smiling in (("001", 0.6, 1.0), ("002", 1.0, 0.6), ("003", 0.7, 0.9)):
        cv2.imwrite(str(tmp_path / "london" / f"{person}_neutral.jpg"), brighter(frame, neutral))
        cv2.imwrite(str(tmp_path / "london" / f"{person}_smiling.jpg"), brighter(frame, smiling))
    rows, _ = run(tmp_path, bundle)
    found = rows["London pairs", "smile above neutral"]
    assert found["value"] == pytest.approx(2 / 3, abs=1e-3)
    assert found["note"] == "2 of 3"


def write_clip(file: Path, frames: list[ImageArray]) -> None:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 25, (width, height))
    for number, frame in enumerate(frames):
        writer.write(brighter(frame, 0.5 + 0.4 * abs(np.sin(number / 6))))
    writer.release()


def test_clips_are_compared_at_the_same_time_and_face_and_training_clips_left_out(tmp_path: Path, bundle: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    frames = demo_frames(40)
    columns = ["file", "frame", "time", "x0", "y0", "x1", "y1", "valence", "arousal"]
    with (folder / "videos_teacher.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        for name in ("a.mp4", "b.mp4"):
            write_clip(folder / name, frames)
            for number, one in enumerate(streamaffect.analyze(folder / name, bundle=bundle)):
                x, y, w, h = one.box
                row = {"file": name, "frame": number, "time": one.pts_s, "x0": x, "y0": y, "x1": x + w, "y1": y + h,
                       "valence": one.valence, "arousal": one.arousal}  # fmt: skip
                table.writerow(row)
        elsewhere = {"x0": 0.0, "y0": 0.0, "x1": 0.02, "y1": 0.02, "valence": -1.0, "arousal": 1.0}
        table.writerow({"file": "a.mp4", "frame": 9, "time": 0.36} | elsewhere)
        table.writerow({"file": "gone.mp4", "frame": 0, "time": 0.0} | elsewhere)
    (folder / "videos.csv").write_text("file\na.mp4\nb.mp4\ngone.mp4\n")
    people = tmp_path / "people.csv"
    people.write_text("file,person,split\na.mp4,anna,report\nb.mp4,bert,train\n")
    rows, printed = run(tmp_path, bundle, "--people", str(people))
    for output in ("valence", "arousal"):
        found = rows["clips", f"CCC to the teacher, {output}"]
        assert found["value"] > 0.999
        assert found["note"].startswith("1 of 1 clips")
        assert rows["clips", f"coverage of 90 % intervals, {output}"]["value"] == 1.0
    wanted = found["rows"] + 1  # but for the face that is elsewhere
    assert found["note"].endswith(f"{found['rows']} of {wanted} labelled faces")
    assert rows["clips", "median correlation inside a clip, valence"]["value"] > 0.999
    assert "gone.mp4" in printed
    everything, _ = run(tmp_path, bundle, "--people", str(people), "--clips", "all")
    assert everything["clips", "CCC to the teacher, valence"]["note"].startswith("2 of 2 clips")


def test_a_folder_that_is_not_there_is_said_in_one_line(tmp_path: Path, bundle: Path) -> None:
    child = subprocess.run(
        [sys.executable, "benchmarks/accuracy.py", "--data", str(tmp_path / "none"), "--bundle", str(bundle)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert child.returncode == 1
    assert child.stderr.splitlines()[-1].startswith(f"accuracy: --data {tmp_path / 'none'}: not a folder")
