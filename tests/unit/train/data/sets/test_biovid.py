"""The layout of BioVid that PKDOT reads, on trees that the tests write."""

import math
from pathlib import Path

import pytest
import torch

from train.data.sets.biovid import load_fold, muscle_current, spectrogram
from train.errors import DataError

RATE_HZ = 512


def fold(root: Path, line: str = "4/071309_w_21-PA4-005 1 75 1") -> Path:
    (root / "4" / "071309_w_21-PA4-005").mkdir(parents=True)
    (root / "fold_2_train.txt").write_text(f"{line}\n\n")
    return root


def physiology(path: Path, frequency_hz: float) -> Path:
    times = [i / RATE_HZ for i in range(6 * RATE_HZ)]
    rows = [f"{round(t * 1e6)}\t0.1\t{math.sin(2 * math.pi * frequency_hz * t)}" for t in times]
    path.write_text("\n".join(["time\tgsr\temg_corrugator", *rows]))
    return path


def test_a_clip_is_found_with_its_physiology_label_and_person(tmp_path: Path) -> None:
    (clip,) = load_fold(fold(tmp_path), 2, "train")
    assert clip.physiology == tmp_path / "physio" / "4" / "071309_w_21-PA4-005_bio.csv"
    assert (clip.label, clip.subject) == (1, "071309")


def test_ten_frames_come_from_ten_equal_segments(tmp_path: Path) -> None:
    (clip,) = load_fold(fold(tmp_path), 2, "train")
    middle = [int(path.stem.removeprefix("img_")) for path in clip.frames()]
    assert middle == [4, 12, 19, 27, 34, 42, 49, 57, 64, 72]
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        drawn = [int(path.stem.removeprefix("img_")) for path in clip.frames(generator)]
        assert all(1 + 7.5 * i - 1 < number <= 1 + 7.5 * (i + 1) for i, number in enumerate(drawn))


@pytest.mark.parametrize(
    "line", ["4/071309_w_21-PA4-005 1 75", "clip 1 75 0", "4/nobody 1 75 1", "4/071309_w_21-PA4-005 9 3 1"]
)
def test_a_line_that_is_not_as_described_is_named(line: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fold_2_train\.txt:1: "):
        load_fold(fold(tmp_path, line), 2, "train")


def test_a_missing_fold_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fold_3_test\.txt: cannot be read"):
        load_fold(tmp_path, 3, "test")


def test_three_seconds_of_muscle_current_give_a_picture_of_65_by_127(tmp_path: Path) -> None:
    samples = muscle_current(physiology(tmp_path / "a.csv", frequency_hz=100))
    assert samples.shape == (3 * RATE_HZ,)
    picture = spectrogram(samples)
    assert picture.shape == (65, 127)
    assert (picture.argmax(dim=0) - round(100 * 128 / RATE_HZ)).abs().max() <= 1


def test_physiology_without_the_column_or_the_time_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time\tgsr\n2500000\t1\n")
    with pytest.raises(DataError, match="emg_corrugator"):
        muscle_current(path)
    path.write_text("time\temg_corrugator\n100\t1\n")
    with pytest.raises(DataError, match="has 0 samples from 2 to 5 s"):
        muscle_current(path)
