"""`benchmarks/faces.py` on a folder of three people."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.bundles import write_bundle
from tests.support.faces import demo_frames

ROOT = Path(__file__).parents[3]


def run(data: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "benchmarks/faces.py", "--data", str(data), *options],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
    )  # fmt: skip


@pytest.mark.slow
def test_cuts_and_turned_faces_are_counted(tmp_path: Path) -> None:
    (tmp_path / "london").mkdir()
    frame = demo_frames(1)[0][5:305, 170:470]
    shade = np.linspace(0.3, 1.4, 300)[None, :, None]
    for person, image in (("1", frame), ("2", np.clip(frame[:, ::-1] * shade, 0, 255).astype(np.uint8))):
        for kind in ("neutral", "smiling"):
            cv2.imwrite(str(tmp_path / "london" / f"{person}_{kind}.jpg"), image)
    out = tmp_path / "faces.json"
    bundle = write_bundle(tmp_path / "bundle")
    child = run(tmp_path, "--bundle", str(bundle), "--out", str(out))
    assert child.returncode == 0, child.stderr
    rows = {(row["part"], row["figure"]): row for row in json.loads(out.read_text())["results"]}
    assert rows["portraits", "cut to another person"]["of"] == 2
    assert rows["portraits", "flash"]["wrong"] == 0
    assert rows["portraits", "turned by 0°, wrong values"] == {
        "part": "portraits", "figure": "turned by 0°, wrong values", "wrong": 0, "of": 2, "share": 0.0, "low": 0.0,
        "high": pytest.approx(0.6576, abs=1e-3), "note": "0 abstained, 0 not found",
    }  # fmt: skip


def test_an_empty_folder_is_one_clear_line(tmp_path: Path) -> None:
    child = run(tmp_path)
    assert child.returncode == 1
    assert child.stderr.strip().splitlines()[-1].startswith("faces: --data")
