"""Crops for calibration: which files of a folder are taken, with the real detector."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.crops import collect_clips
from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import load_bundle
from streamaffect.sources.demo import DEMO_CLIP


def face() -> np.ndarray:
    video = cv2.VideoCapture(str(DEMO_CLIP))
    shown, image = video.read()
    assert shown
    return image


def test_whatever_opencv_reads_as_a_picture_is_taken(tmp_path: Path) -> None:
    bundle, image = load_bundle(), face()
    for i in range(2 * bundle.manifest.clip.frames):
        assert cv2.imwrite(str(tmp_path / f"{i:02}.tif"), image)
    (tmp_path / "notes.txt").write_text("no picture")
    clips = collect_clips(bundle, tmp_path)
    assert clips.origin.startswith(f"{2 * bundle.manifest.clip.frames} file(s)")
    assert clips.calibration and clips.held_out


def test_a_folder_without_either_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(EngineError, match="no video or picture there"):
        collect_clips(load_bundle(), tmp_path)
