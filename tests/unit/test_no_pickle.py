import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
FORBIDDEN_CALLS = {"send_pyobj", "recv_pyobj"}
SOURCES = sorted(path for folder in ("streamaffect", "engines") for path in (ROOT / folder).rglob("*.py"))


def violations(source: str) -> set[str]:
    """Modules that are imported and methods that are called although they (un)pickle."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names} & FORBIDDEN
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").partition(".")[0]} & FORBIDDEN
        elif isinstance(node, ast.Attribute):
            found |= {node.attr} & FORBIDDEN_CALLS
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found |= {"allow_pickle"} if not _is_false(node.value) else set()
    return found


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_of_the_runtime_unpickles(path: Path) -> None:
    assert violations(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle"),
        ("socket.recv_pyobj()", "recv_pyobj"),
        ("numpy.load(path, allow_pickle=True)", "allow_pickle"),
    ],
)
def test_the_check_finds_what_it_looks_for(source: str, found: str) -> None:
    assert violations(source) == {found}
