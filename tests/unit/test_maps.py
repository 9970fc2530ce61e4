"""The maps in the documents show the house as it is: every method's files and recipes, every room, every floor."""

import re
from pathlib import Path

import pytest

from tests.unit.test_house import FLOORS, METHODS

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def map_faults(page: str, folder: Path, recipes: Path) -> list[str]:
    """Files of the method that its map leaves out, files that are not there, and recipes likewise."""
    rows = [
        line.split("|")[1:4]
        for line in page[page.index("\n| role |") :].split("\n\n", maxsplit=1)[0].splitlines()
        if line
    ]
    mapped = {name for _, file, _ in rows for name in re.findall(r"`([^`]+)`", file)}
    own = {str(file.relative_to(folder)) for file in folder.rglob("*.py") if file.name != "__init__.py"}
    listed = {name for role, _, what in rows if role.strip() == "recipes" for name in re.findall(r"`([^`]+)`", what)}
    return [
        *sorted(own - mapped),
        *(name for name in sorted(mapped) if not (folder / name).exists() and not (ROOT / name).exists()),
        *sorted(listed ^ {file.stem for file in recipes.glob("*.toml")}),
    ]


@pytest.mark.parametrize("method", METHODS)
def test_the_page_of_a_method_begins_with_all_of_its_files_and_recipes(method: str) -> None:
    page = (ROOT / "docs" / "methods" / f"{method}.md").read_text(encoding="utf-8")
    assert map_faults(page, ROOT / "train" / "methods" / method, ROOT / "configs" / "train" / method) == []


def test_a_planted_file_beside_the_map_is_found(tmp_path: Path) -> None:
    for name in ("run.py", "data/__init__.py", "data/load.py", "smoke.toml", "large.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    page = "# A method\n\n| role | file | what |\n|---|---|---|\n| run | `run.py`, `train.py` | it `runs` |\n"
    page += "| recipes | `configs/train/` | `smoke` |\n\n| other | `none.py` | |\n"
    assert map_faults(page, tmp_path, tmp_path) == ["data/load.py", "train.py", "large"]


def test_the_list_of_methods_names_every_method_and_its_recipes() -> None:
    text = (ROOT / "docs" / "methods" / "README.md").read_text(encoding="utf-8")
    assert [name for name in METHODS if f"({name}.md)" not in text or f"configs/train/{name}/" not in text] == []


def test_the_page_of_the_architecture_draws_the_floors_that_are_tested() -> None:
    rows = [line.split("|")[2:-1] for line in reversed(ARCHITECTURE.splitlines()) if re.match(r"\| \d+ \|", line)]
    for part, cells in zip(("streamaffect", "engines", "train"), zip(*rows, strict=True), strict=True):
        floors = [re.findall(r"`([^`]+)`", cell) for cell in cells]
        assert [floor for floor in floors if floor] == FLOORS[part]


def test_the_page_of_the_architecture_has_a_line_for_every_room() -> None:
    folders = [file.parent.relative_to(ROOT / part) for part in FLOORS for file in (ROOT / part).rglob("*/__init__.py")]
    rooms = {folder.as_posix() for folder in folders if folder.parts[0] != "methods"} | {"methods"}
    assert [room for room in sorted(rooms) if f"`{room}/`" not in ARCHITECTURE] == []


def test_the_files_on_the_page_of_the_architecture_are_there() -> None:
    named = set(re.findall(r"(?<![>\w/])[\w/]+\.py\b", ARCHITECTURE))
    assert [name for name in sorted(named) if not any((ROOT / part / name).is_file() for part in ("", *FLOORS))] == []
