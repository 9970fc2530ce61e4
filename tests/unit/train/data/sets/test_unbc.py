"""The official layout of the UNBC-McMaster archive, on a tree that the tests write."""

from pathlib import Path

import pytest

from train.data.sets.unbc import load_unbc
from train.errors import DataError

INTENSITIES = {"042-ll042": [0.0, 0.5, 3.0, 0.0], "047-jl047": [1.0, 0.0, 0.0, 0.0]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for subject, values in INTENSITIES.items():
        sequence = f"{subject[4:]}t1aaaff"
        for number, value in enumerate(values):
            stem = f"{sequence}{number:03d}"
            image = tmp_path / "Images" / subject / sequence / f"{stem}.png"
            label = tmp_path / "Frame_Labels" / "PSPI" / subject / sequence / f"{stem}_facs.txt"
            for file in (image, label):
                file.parent.mkdir(parents=True, exist_ok=True)
            image.touch()
            label.write_text(f"   {value:.7e}\n")
    return tmp_path


def test_every_frame_has_its_subject_and_whether_it_shows_pain(root: Path) -> None:
    pictures = load_unbc(root)
    assert [(one.subject, one.label) for one in pictures] == [
        (subject, int(value >= 1)) for subject, values in INTENSITIES.items() for value in values
    ]
    assert pictures[2].path.name == "ll042t1aaaff002.png"


def test_frames_without_pain_are_thinned_and_those_with_pain_are_not(root: Path) -> None:
    kept = [(one.path.stem[-3:], one.label) for one in load_unbc(root, every=3)]
    assert kept == [("000", 0), ("002", 1), ("003", 0), ("000", 1), ("003", 0)]


def test_a_frame_without_its_intensity_is_named(root: Path) -> None:
    (missing,) = root.glob("Frame_Labels/PSPI/*/*/jl047t1aaaff002_facs.txt")
    missing.write_text("none")
    with pytest.raises(DataError, match=r"jl047t1aaaff002_facs\.txt: expected one number"):
        load_unbc(root)
    missing.unlink()
    with pytest.raises(DataError, match=r"jl047t1aaaff002_facs\.txt: cannot be read"):
        load_unbc(root)


def test_another_folder_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match="the one that holds Images and Frame_Labels"):
        load_unbc(root / "Images")
