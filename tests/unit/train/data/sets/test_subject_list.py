"""Lists of pictures of people, as subject-based adaptation reads them, on trees that the tests write."""

from pathlib import Path

import pytest

from train.data.sets.subject_list import load_subject_list
from train.errors import DataError


def test_every_line_of_a_subject_list_is_a_picture(tmp_path: Path) -> None:
    for name in ("sub/anna/0/1.jpg", "sub/bert/4/2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "sources.txt").write_text("sub/anna/0/1.jpg 0\nsub/bert/4/2.jpg 1\n")
    pictures = load_subject_list(tmp_path, "sources")
    assert [(picture.subject, picture.label) for picture in pictures] == [("anna", 0), ("bert", 1)]


@pytest.mark.parametrize("line", ["sub/anna/0/1.jpg", "sub/anna/0/gone.jpg 1", "1.jpg 0"])
def test_a_list_with_a_wrong_line_or_a_missing_picture_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "target.txt").write_text(line + "\n")
    with pytest.raises(DataError, match=r"target\.txt:1: "):
        load_subject_list(tmp_path, "target")
