"""Videos with one class each, in folders that the test writes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from train.data.sets.class_folders import load_class_folders
from train.errors import DataError


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Two classes in the layout of AFEW; one folder of a video holds nothing."""
    for name, count in (("Angry/001", 2), ("Angry/002", 0), ("Happy/003", 3)):
        folder = tmp_path / "train" / name
        folder.mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(folder / f"{number}.png"), np.full((10, 10), 20 * number, np.uint8))
    return tmp_path


def test_class_folders_are_read_in_the_order_of_their_names(data_set: Path) -> None:
    videos = load_class_folders(data_set, "train", ["Happy", "Angry"], 8)
    assert [(video.name, video.label) for video in videos] == [("Happy/003", 0), ("Angry/001", 1)]
    assert videos[0].frames[:, 0, 0].tolist() == [0, 20, 40]


def test_folders_that_are_not_the_classes_and_damaged_pictures_are_named(data_set: Path) -> None:
    with pytest.raises(DataError, match="expected one folder for each of Angry, Sad; found Angry, Happy"):
        load_class_folders(data_set, "train", ["Angry", "Sad"], 8)
    (data_set / "train" / "Happy" / "003" / "9.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"9\.png: is no picture"):
        load_class_folders(data_set, "train", ["Angry", "Happy"], 8)
