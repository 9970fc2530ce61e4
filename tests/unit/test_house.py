"""The plan of the house: which room may import which, no circles anywhere, no room too full, and one shape for methods.

Imports count wherever they stand, in functions and under TYPE_CHECKING too. docs/architecture.md draws the same plan.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("streamaffect", "engines", "train")
MOST_FILES = 17  # of one level of a room, its __init__ with them

Imports = Mapping[str, frozenset[str]]  # path of a file → paths of the files that it imports

# From the ground up; a box imports from those below it. What shares a line may import from its left neighbours alone.
FLOORS: Mapping[str, list[list[str]]] = {
    "streamaffect": [
        [
            "version.py",
            "redaction.py",
            "outlet.py",
            "paths.py",
            "errors.py",
            "checked_file.py",
            "names.py",
            "types.py",
            "messages.py",
            "clock.py",
            "settings.py",
            "config.py",
        ],
        ["runtime", "faces", "sources", "assets"],
        ["lenses", "prompts", "text", "feed", "voice", "affect"],
        ["recordings", "personal", "pipeline", "sinks", "control", "service"],
        ["analysis.py", "sound.py", "verbs", "fleet"],
        ["arguments", "cli.py", "__init__.py", "__main__.py"],
    ],
    "engines": [
        ["__init__.py", "facts.py", "file_hash.py", "progress.py", "rtx_bindings.py", "graphs"],
        ["crops.py", "store.py", "cold.py"],
        ["verify.py", "bench.py", "tensorrt_build.py", "rtx_build.py"],
        ["build.py", "reports"],
        ["verbs.py"],
        ["cli.py", "__main__.py"],
    ],
    "train": [
        ["__init__.py", "errors.py", "config.py", "convert.py", "recipes.py"],
        ["metrics", "losses"],
        ["data", "models"],
        ["loop"],
        ["bundle"],
        ["audiovisual"],
        ["methods"],
        ["cli.py", "__main__.py"],
    ],
}
METHODS = {
    "lens": "MapHead",
    "relational": "ClipEncoder ContextHead load_reference",
    "emoclip": "TemporalTransformer clip_contrastive_loss",
    "jmt": "JointMultimodalTransformer load_reference",
    "au_guided": "heatmap EXPRESSIONS au_alignment_loss",
    "pkdot": "PrivilegedFusion pkdot_loss load_reference",
    "subject_msda": "mmd coral select_pseudo_labels",
    "stochastic_softmax": "SoftmaxPooling ClipWeights",
    "compound": "LFAN",
    "compound_text": "",
    "voice": "ProsodyRegression",
}
ROLES = ("recipe", "data", "model", "bundle", "run")  # `loss` where a method has one of its own
MAY_USE = {"compound_text": {"compound"}}  # two halves of one paper


def modules(root: Path) -> list[Path]:
    return sorted(file for part in PARTS for file in (root / part).rglob("*.py"))


def imports_of(root: Path) -> Imports:
    """Of every module of the three parts, what it imports of them."""
    files = {_dotted(file, root): _name(file, root) for file in modules(root)}
    return {_name(file, root): frozenset(_imported(file, root, files)) for file in modules(root)}


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _dotted(file: Path, root: Path) -> str:
    return _name(file, root).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imported(file: Path, root: Path, files: Mapping[str, str]) -> Iterator[str]:
    package = file.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            wanted = [f"{module}.{alias.name}" if f"{module}.{alias.name}" in files else module for alias in node.names]
        else:
            continue
        yield from (files[name] for name in wanted if name in files and files[name] != _name(file, root))


def circles(arrows: Mapping[str, frozenset[str]]) -> list[set[str]]:
    """Groups of nodes from each of which all the others can be reached."""
    reach = {node: _reached(node, arrows) for node in arrows}
    groups = [{other for other in reach[node] if node in reach.get(other, ())} | {node} for node in arrows]
    return [group for number, group in enumerate(groups) if len(group) > 1 and group not in groups[:number]]


def _reached(start: str, arrows: Mapping[str, frozenset[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for node in arrows.get(waiting.pop(), frozenset()) - found:
            found.add(node)
            waiting.append(node)
    return found


def boxes_of(folder: str, imports: Imports) -> Imports:
    """The files and folders directly in a folder, and the arrows between them."""
    start = f"{folder}/"
    arrows: dict[str, set[str]] = {}
    for file, wanted in imports.items():
        if file.startswith(start):
            box = file.removeprefix(start).split("/")[0]
            others = {one.removeprefix(start).split("/")[0] for one in wanted if one.startswith(start)}
            arrows.setdefault(box, set()).update(others - {box})
    return {box: frozenset(others) for box, others in arrows.items()}


def folders_of(imports: Imports) -> list[str]:
    return sorted({parent.as_posix() for file in imports for parent in Path(file).parents if parent != Path()})


def room_circles(imports: Imports) -> list[tuple[str, set[str]]]:
    """Circles among what lies in one folder, be it files or folders with all that is in them."""
    return [(folder, group) for folder in folders_of(imports) for group in circles(boxes_of(folder, imports))]


def upward_arrows(part: str, imports: Imports) -> list[str]:
    """Arrows to a higher floor, or to the right on the same one."""
    place = {box: (floor, at) for floor, boxes in enumerate(FLOORS[part]) for at, box in enumerate(boxes)}
    found = boxes_of(part, imports)
    unknown = [f"{part}/{box} stands on no floor" for box in found if box not in place]
    return unknown + [
        f"{part}/{box} → {part}/{other}"
        for box, others in found.items()
        for other in sorted(others)
        if box in place and other in place and place[other] > place[box]
    ]


def sideways_arrows(imports: Imports) -> list[str]:
    """From one method into another."""
    return [
        f"{file} → {other}"
        for file, wanted in imports.items()
        for other in sorted(wanted)
        if _method(file) and _method(other) not in {"", _method(file), *MAY_USE.get(_method(file), ())}
    ]


def _method(file: str) -> str:
    parts = file.split("/")
    return parts[2] if parts[:2] == ["train", "methods"] and len(parts) > 3 else ""


def role_faults(root: Path, imports: Imports) -> list[str]:
    """Methods that lack a role, and imports from a role to one that comes after it."""
    faults = []
    for method in METHODS:
        folder = f"train/methods/{method}"
        boxes = boxes_of(folder, imports)
        has = {box.removesuffix(".py") for box in boxes}
        faults += [f"{folder} has no {role}" for role in ROLES if role not in has]
        for box, others in boxes.items():
            role = box.removesuffix(".py")
            later = ROLES[ROLES.index(role) + 1 :] if role in ROLES else ()
            if role == "recipe":
                later = tuple(has - {"recipe", "__init__"})  # values alone
            faults += [f"{folder}/{box} → {other}" for other in others if other.removesuffix(".py") in later]
    return faults


@cache
def house() -> Imports:
    return imports_of(ROOT)


def test_no_circle_runs_through_files() -> None:
    assert circles(house()) == []


def test_no_circle_runs_through_rooms() -> None:
    assert room_circles(house()) == []


@pytest.mark.parametrize("part", PARTS)
def test_arrows_lead_down(part: str) -> None:
    assert upward_arrows(part, house()) == []


def test_no_method_imports_another() -> None:
    assert sideways_arrows(house()) == []


def test_every_method_has_the_same_roles() -> None:
    assert role_faults(ROOT, house()) == []


@pytest.mark.parametrize("method", METHODS)
def test_the_public_names_of_a_method_are_reachable_from_its_package(method: str) -> None:
    package = import_module(f"train.methods.{method}")
    names = METHODS[method].split()
    assert [name for name in names if not hasattr(package, name)] == []
    assert set(names) <= set(package.__all__)


def test_every_method_stands_in_the_registry_and_the_registry_has_no_other() -> None:
    from train.methods.registry import METHODS as REGISTERED

    assert {method.run.partition(".")[0] for method in REGISTERED.values()} == set(METHODS)
    assert {folder.name for folder in (ROOT / "train" / "methods").iterdir() if (folder / "run.py").exists()} == set(
        METHODS
    )
    for method in REGISTERED.values():
        for verb in ("fit", "evaluate"):
            assert method.work(verb) is not None


@pytest.mark.parametrize("part", [*PARTS, "tests", "benchmarks"])
def test_no_room_is_too_full(part: str) -> None:
    folders = [ROOT / part, *(path for path in (ROOT / part).rglob("*") if path.is_dir())]
    sizes = {_name(folder, ROOT): len(list(folder.glob("*.py"))) for folder in folders}
    assert {room: size for room, size in sizes.items() if size > MOST_FILES} == {}


def test_tests_stand_where_their_modules_do() -> None:
    """A folder of unit tests has the name of a folder of code; a folder of method tests that of a method."""
    unit = ROOT / "tests" / "unit"
    rooms = [folder.relative_to(unit) for folder in unit.rglob("*") if folder.is_dir() and any(folder.glob("*.py"))]
    homes = [ROOT]
    assert [str(room) for room in rooms if not any((home / room).is_dir() for home in homes)] == []
    own = {path.name for path in (ROOT / "tests" / "methods").iterdir() if path.is_dir() and path.name[0] != "_"}
    assert own == set(METHODS)


def test_every_method_has_a_page_with_its_files() -> None:
    for method in METHODS:
        page = (ROOT / "docs" / "methods" / f"{method}.md").read_text(encoding="utf-8")
        assert [role for role in ROLES if role not in page] == [], f"docs/methods/{method}.md"


# Each rule on a violation that was planted.


def planted(root: Path, files: Mapping[str, str]) -> Imports:
    """A small house; a folder is a package without further ado."""
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source, encoding="utf-8")
    return imports_of(root)


def test_a_planted_circle_of_files_is_found_under_type_checking_too(tmp_path: Path) -> None:
    found = planted(
        tmp_path,
        {
            "train/a.py": "from .b import B",
            "train/b.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .a import A\n",
            "train/c.py": "from . import a",
        },
    )
    assert circles(found) == [{"train/a.py", "train/b.py"}]


def test_a_planted_circle_of_rooms_without_one_of_files_is_found(tmp_path: Path) -> None:
    found = planted(
        tmp_path,
        {
            "streamaffect/feed/wire.py": "from streamaffect.sinks.base import Sink",
            "streamaffect/sinks/base.py": "",
            "streamaffect/sinks/zmq.py": "def send():\n    from streamaffect.feed.keys import read\n",
            "streamaffect/feed/keys.py": "",
        },
    )
    assert circles(found) == []
    assert room_circles(found) == [("streamaffect", {"feed", "sinks"})]


@pytest.mark.parametrize(
    ("file", "source", "arrow"),
    [
        ("streamaffect/runtime/x.py", "from streamaffect.affect.clips import C", "streamaffect/runtime → affect"),
        ("streamaffect/errors.py", "import streamaffect.runtime.x", "streamaffect/errors.py → runtime"),
        ("streamaffect/runtime/y.py", "from streamaffect.faces.crop import c", "streamaffect/runtime → faces"),
        ("train/data/x.py", "from ..methods.jmt.model import J", "train/data → methods"),
        ("train/loop/x.py", "from ..bundle import writer", "train/loop → bundle"),
        ("engines/bench.py", "from . import build", "engines/bench.py → build.py"),
    ],
)
def test_a_planted_arrow_upwards_is_found(tmp_path: Path, file: str, source: str, arrow: str) -> None:
    there = ("affect/clips.py", "runtime/x.py", "faces/crop.py")
    targets = dict.fromkeys((f"streamaffect/{name}" for name in there), "")
    targets |= dict.fromkeys(("train/methods/jmt/model.py", "train/bundle/writer.py", "engines/build.py"), "")
    found = planted(tmp_path, targets | {file: source})
    part, box, other = file.split("/", maxsplit=1)[0], *arrow.split("/", 1)[1].split(" → ")
    assert upward_arrows(part, found) == [f"{part}/{box} → {part}/{other}"]


def test_a_planted_arrow_between_methods_is_found_and_a_paper_may_use_its_other_half(tmp_path: Path) -> None:
    found = planted(
        tmp_path,
        {
            "train/methods/jmt/run.py": "from ..pkdot.loss import pkdot_loss",
            "train/methods/pkdot/loss.py": "",
            "train/methods/compound_text/run.py": "from ..compound.votes import vote",
            "train/methods/compound/votes.py": "",
        },
    )
    assert sideways_arrows(found) == ["train/methods/jmt/run.py → train/methods/pkdot/loss.py"]


def test_a_planted_missing_role_and_a_recipe_that_imports_are_found(tmp_path: Path) -> None:
    complete = {f"train/methods/{method}/{role}.py": "" for method in METHODS for role in ROLES}
    del complete["train/methods/pkdot/bundle.py"]
    found = planted(
        tmp_path,
        complete
        | {
            "train/methods/jmt/recipe.py": "from .loss import Kind",
            "train/methods/jmt/loss.py": "",
            "train/methods/emoclip/data.py": "from .run import run",
        },
    )
    assert sorted(role_faults(tmp_path, found)) == [
        "train/methods/emoclip/data.py → run.py",
        "train/methods/jmt/recipe.py → loss.py",
        "train/methods/pkdot has no bundle",
    ]
