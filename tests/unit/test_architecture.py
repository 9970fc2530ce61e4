"""What may import what. The arrows are drawn in docs/decisions/0001-packaging-map.md."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("streamaffect", "engines", "train")
MODULES = sorted(file for part in PARTS for file in (ROOT / part).rglob("*.py"))

TRAINING_LIBRARIES = {"torch", "lightning_fabric", "onnxscript", "tensorboard", "transformers", "peft"}
FORBIDDEN = {
    "streamaffect": {"engines", "train", "tests", "benchmarks"} | TRAINING_LIBRARIES,
    "engines": {"train", "tests", "benchmarks"},
    "train": {"engines", "tests", "benchmarks"},
}
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
NAMES_PICKLE_ERRORS = {"train/convert.py"}  # catches UnpicklingError of torch's weights-only reader
NOT_FOR_HELP = ("av", "cv2", "mediapipe", "numpy", "onnxruntime", "pyarrow", "rich", "torch", "zmq")


def imported_names(file: Path, root: Path = ROOT, *, resolve_relative: bool = True) -> set[str]:
    """Full names of all that a module imports, at its top or inside a function; relative ones are resolved or left out.

    A name under streamaffect that is mapped there from its own folder (streamaffect.train) counts as that folder's.
    """
    package = file.relative_to(root).parent.parts
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (resolve_relative or not node.level):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    mapped = tuple(f"streamaffect.{part}" for part in ("engines", "train"))
    return {name.removeprefix("streamaffect.") if name.startswith(mapped) else name for name in names}


def top_level(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def calls(file: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_there_are_modules_to_look_at_in_every_part() -> None:
    assert {file.relative_to(ROOT).parts[0] for file in MODULES} == set(PARTS)


@pytest.mark.parametrize("file", MODULES, ids=relative)
def test_a_part_imports_nothing_from_the_parts_that_depend_on_it(file: Path) -> None:
    part = file.relative_to(ROOT).parts[0]
    assert top_level(imported_names(file)) & FORBIDDEN[part] == set()


@pytest.mark.parametrize("file", MODULES, ids=relative)
def test_no_module_reads_a_pickle(file: Path) -> None:
    if relative(file) not in NAMES_PICKLE_ERRORS:
        assert top_level(imported_names(file)) & UNPICKLERS == set()
    for call in calls(file):
        allowed = [word.value for word in call.keywords if word.arg == "allow_pickle"]
        assert all(isinstance(value, ast.Constant) and value.value is False for value in allowed)
        called = ast.unparse(call.func)
        if called == "torch.load":
            weights_only = [word.value for word in call.keywords if word.arg == "weights_only"]
            assert [ast.unparse(value) for value in weights_only] == ["True"]


@pytest.mark.parametrize("file", [file for file in MODULES if file.is_relative_to(ROOT / "train")], ids=relative)
def test_training_imports_its_siblings_relatively(file: Path) -> None:
    """`import train.x` works in a checkout only: in the wheel that folder is called streamaffect.train."""
    assert "train" not in top_level(imported_names(file, resolve_relative=False))


@pytest.mark.parametrize(
    ("source", "forbidden"),
    [
        ("import torch.nn", "torch"),
        ("def f():\n    from train.losses import ccc_loss", "train"),
        ("from streamaffect.train import losses", "train"),
        ("from streamaffect import engines", "engines"),
        ("from .. import train", "train"),
        ("from ..engines.build import build", "engines"),
    ],
)
def test_the_walk_sees_an_import_however_it_is_written(tmp_path: Path, source: str, forbidden: str) -> None:
    file = tmp_path / "streamaffect" / "sinks" / "bad.py"
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert forbidden in top_level(imported_names(file, tmp_path))


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["listen", "--help"], ["--version"]])
def test_help_answers_without_loading_a_heavy_library(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from streamaffect.cli import main\n"
        "try:\n"
        f"    main({words})\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        f"print('loaded:', *(name for name in {NOT_FOR_HELP} if name in sys.modules))"
    )
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines()[-1] == "loaded:"


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = "import sys, streamaffect; print(sorted(name for name in sys.modules if name.startswith('streamaffect.')))"
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"
