"""Faces of labelled clips, from video files and from pictures, at the rate of a protocol."""

from pathlib import Path

import numpy as np
import pytest

from streamaffect.runtime.manifest import CropSpec
from streamaffect.sources.demo import DEMO_CLIP
from train.data.clip_faces import ClipFaces
from train.data.clips_csv import load_clips_csv
from train.data.records import ClipRecord
from train.errors import DataError

CROP = CropSpec(size=32, margin=0.1, align="roll")


def test_faces_of_a_video_file_are_found_at_the_rate_of_the_protocol(tmp_path: Path) -> None:
    (tmp_path / "demo.mp4").symlink_to(DEMO_CLIP)
    (tmp_path / "clips.csv").write_text(
        "path,start_s,end_s,subject,split,valence\ndemo.mp4,0,3.2,anna,,0.1\ndemo.mp4,500,600,anna,,0.1\n"
    )
    faces = ClipFaces(tmp_path, tmp_path / "prepared", CROP, every=8)
    (record,) = faces.prepare(load_clips_csv(tmp_path / "clips.csv").records, lambda _name, _what: None)
    assert record.start_s == 0  # nothing is there from second 500 on
    assert faces.count(record) == pytest.approx(3.2 * 25 / 8, abs=1)
    crops = faces.read(record, np.array([[0, 3], [3, 1]]))
    assert crops.shape == (2, 2, 32, 32, 3)
    assert np.array_equal(crops[0, 1], crops[1, 0])
    assert not np.array_equal(crops[0, 0], crops[0, 1])


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    picture = tmp_path / "image_00001.jpg"
    picture.write_bytes(b"no picture")
    record = ClipRecord("a/1", "a", (picture,), 0.0, None, "anna", "", {})
    faces = ClipFaces(tmp_path, tmp_path / "prepared", CROP, every=4)
    with pytest.raises(DataError, match=r"image_00001\.jpg: cannot be read as a picture"):
        faces.read(record, np.array([0]))
