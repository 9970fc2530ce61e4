"""The folder of a model that stands beside a bundle: what it replaces, and what it leaves alone."""

from pathlib import Path

import msgspec
import pytest

from train.bundle.addition import begin_addition, finish_addition
from train.errors import TrainingError

FILE = "thing.json"


class Listing(msgspec.Struct):
    name: str


def write(target: Path, name: str = "new") -> None:
    def load(folder: Path) -> None:
        assert (folder / FILE).is_file()
        if name == "broken":
            raise ValueError("nothing fits")

    unfinished = begin_addition(target)
    finish_addition(unfinished, target, Listing(name), f"# {name}\n", file=FILE, kind="thing", load=load)


def test_an_older_one_is_replaced_whole(tmp_path: Path) -> None:
    write(tmp_path / "thing", "old")
    (tmp_path / "thing" / "more.txt").write_text("of before")
    write(tmp_path / "thing")
    assert sorted(file.name for file in (tmp_path / "thing").iterdir()) == ["MODEL_CARD.md", FILE]
    assert msgspec.json.decode((tmp_path / "thing" / FILE).read_bytes()) == {"name": "new"}
    assert [folder.name for folder in tmp_path.iterdir()] == ["thing"]


def test_a_folder_of_another_kind_stays(tmp_path: Path) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "diary.txt").write_text("mine")
    with pytest.raises(TrainingError, match=r"is no thing, and is kept; the new one is in .*thing\.partial"):
        write(tmp_path / "thing")
    assert (tmp_path / "thing" / "diary.txt").read_text() == "mine"
    assert (tmp_path / "thing.partial" / FILE).is_file()


def test_what_does_not_load_takes_no_place(tmp_path: Path) -> None:
    write(tmp_path / "thing", "old")
    with pytest.raises(TrainingError, match=r"what was written does not load \(nothing fits\)"):
        write(tmp_path / "thing", "broken")
    assert msgspec.json.decode((tmp_path / "thing" / FILE).read_bytes()) == {"name": "old"}
