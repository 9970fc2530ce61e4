from pathlib import Path

import pytest

from streamaffect.errors import LensError
from streamaffect.lenses.mesh import landmarker
from streamaffect.lenses.mesh.landmarker import BLENDSHAPES, INSTALL, find_task
from streamaffect.lenses.mesh.lens import MeshLens
from streamaffect.lenses.mesh.words import mesh_of
from streamaffect.settings import LensSettings


def test_where_no_landmarker_is_installed_one_line_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarker, "PACKAGE", "a_package_that_nobody_has")
    with pytest.raises(LensError, match=INSTALL):
        find_task()


def test_a_file_that_is_not_there_is_named_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(LensError, match=rf"missing\.task cannot be read .*{INSTALL}"):
        find_task(str(tmp_path / "missing.task"))


def test_another_model_is_refused_by_its_hash(tmp_path: Path) -> None:
    other = tmp_path / "face.task"
    other.write_bytes(b"another model")
    with pytest.raises(LensError, match=r"face\.task has sha256 [0-9a-f]{12}…, expected 64184e229b26…"):
        find_task(str(other))


def test_the_words_that_mean_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def found_task(file: str) -> Path:
        asked.append(file)
        return Path(file)

    monkeypatch.setattr("streamaffect.lenses.mesh.words.find_task", found_task)
    words = ["units", "mesh", "face=~/my.task", f"mesh={tmp_path}"]  # the last is a folder, a lens of the user's own
    found, others = mesh_of(LensSettings(use=words))
    assert [lens.meta.name for lens in found] == ["mesh", "face"]
    assert asked == ["", "~/my.task"]
    assert others == ["units", f"mesh={tmp_path}"]


def test_points_are_declared_only_where_they_are_asked_for() -> None:
    few, many = MeshLens(Path()), MeshLens(Path(), points=True)
    assert len(few.meta.outputs) == len(BLENDSHAPES) + 3 + 2 + 1
    assert len(many.meta.outputs) - len(few.meta.outputs) == 3 * 478
