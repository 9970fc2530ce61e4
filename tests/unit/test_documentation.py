"""The documents name commands, settings, files and names that exist."""

import argparse
import ast
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import engines.cli
import streamaffect
import train.cli
from streamaffect.cli import main
from streamaffect.config import load_config

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# What else names commands and files: comments of recipes, docstrings, help texts, model cards.
TEXTS = sorted(
    {
        *DOCUMENTS,
        ROOT / "run_stream.py",
        *(
            file
            for folder in ("benchmarks", "configs", "docs", "engines", "streamaffect", "train")
            for ending in ("md", "mjs", "py", "toml")
            for file in (ROOT / folder).rglob(f"*.{ending}")
        ),
    }
)

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)(?P<target>[^)#\s]+)")
# At the start of a line, after `&&`, or in a service file; with or without the path of an environment.
PROGRAM = re.compile(
    r"(?:^|&& |ExecStart=)(?:\S*/)?(?P<program>python run_stream\.py|streamaffect) (?P<words>(?:[^|#&>\n]|(?<=\S)#)+)",
    re.MULTILINE,
)
PARTS = "(?:benchmarks|engines|streamaffect|train)"
WORDS = r"(?P<words>(?: +[^\s`#|&>(),;\"]+)*)"
MODULE = re.compile(rf"python -m (?P<module>{PARTS}(?:\.\w+)*)(?![\w.]){WORDS}")
SCRIPT = re.compile(rf"python (?P<file>benchmarks/[\w/]+\.py){WORDS}")
# Neither a part of another path or address, nor a pattern of somebody's data such as train/<class>/….
PATH = re.compile(rf"(?<![\w./~$<>…-])(?:{PARTS}|configs|docs|tests)/[\w./*-]*+(?![<…{{])")
NAME = re.compile(rf"(?<=`){PARTS}(?:\.\w+)+(?=[`(,])")
FILE_NAME = re.compile(r"`(?P<name>\w+\.py)`")
MAPPED = re.compile(r"^streamaffect[./](?=(?:configs|engines|train)\b)")  # as the wheel calls the folders beside it
NO_MODULES = re.compile(r"(?:train\.(?:csv|safetensors|txt)|streamaffect\.(?:header|toml))$")
PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "engines": engines.cli._parser,
    "train": lambda: train.cli._parser(shows_recipes=False),
}


class Block(NamedTuple):
    """A fenced block of a document."""

    document: Path
    language: str
    text: str


BLOCKS = [
    Block(document, found["language"], found["text"])
    for document in DOCUMENTS
    for found in FENCE.finditer(document.read_text(encoding="utf-8"))
]
COMMANDS = sorted(
    {
        ("run " if "run_stream" in found["program"] else "") + found["words"].strip()
        for block in BLOCKS
        if block.language in ("", "ini")
        for found in PROGRAM.finditer(block.text.replace("\\\n", " "))
    }
)
SETTINGS = sorted(
    {
        setting
        for document in DOCUMENTS
        for setting in re.findall(r"--set ([a-z_]+\.[a-z_]+=[^\s`]+)", document.read_text(encoding="utf-8"))
    }
)


def block_name(block: Block) -> str:
    return f"{block.document.name}:{block.text.splitlines()[0]}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    targets = [found["target"] for found in LINK.finditer(document.read_text(encoding="utf-8"))]
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_is_one_that_the_program_understands(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    understood = 42
    monkeypatch.setattr("streamaffect.cli._call", lambda _: understood)
    assert main(shlex.split(words)) == understood


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_exists_and_takes_the_value(setting: str) -> None:
    load_config(overrides=[setting])


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=block_name)
def test_every_python_example_compiles_and_imports_what_is_there(block: Block) -> None:
    imported = [name for name in imported_names(block.text) if re.match(rf"{PARTS}\.", name)]
    assert [name for name in imported if not is_defined(name)] == []
    public = [name for name in imported if name.count(".") == 1 and name.startswith("streamaffect.")]
    assert [name for name in public if name.removeprefix("streamaffect.") not in streamaffect.__all__] == []


def imported_names(source: str) -> list[str]:
    """All that an example imports; it stands in a method's folder where it imports relatively."""
    package = ["train", "methods", "mine"]
    return [
        ".".join(
            [*(package[: 4 - node.level] if node.level else []), *([node.module] if node.module else []), alias.name]
        )
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]


def test_there_are_commands_settings_and_examples_to_check() -> None:
    assert len(COMMANDS) > 10
    assert len(SETTINGS) > 3
    assert {block.language for block in BLOCKS} >= {"", "python", "js", "json"}


# Commands of this repository's own modules, its files and its names.


def faulty_commands(text: str) -> list[str]:
    """`python -m …` and `python benchmarks/…` that do not run, or do not know their words."""
    lines = text.replace("\\\n", " ")
    modules = [found for found in MODULE.finditer(lines) if not is_understood(found["module"], found["words"].split())]
    scripts = [
        found for found in SCRIPT.finditer(lines) if not takes_options(ROOT / found["file"], found["words"].split())
    ]
    return [found[0] for found in [*modules, *scripts]]


def is_understood(module: str, words: list[str]) -> bool:
    """Whether the module can be run so. Of a mere mention, `python -m train fit`, the verb counts."""
    module = MAPPED.sub("", module)
    if module in PARSERS:
        return not words or words[0].isupper() or parses(PARSERS[module](), words)
    file = ROOT.joinpath(*module.split("."))
    if file.is_dir():
        return (file / "__main__.py").is_file()
    return takes_options(file.with_suffix(".py"), words)


def parses(parser: argparse.ArgumentParser, words: list[str]) -> bool:
    is_mention = len(words) == 1 or "…" in words
    try:
        parser.parse_args([words[0], "--help"] if is_mention else words)
    except SystemExit as end:
        return end.code == 0
    return True


def takes_options(file: Path, words: list[str]) -> bool:
    """Whether a file is there to be run, and has each option of the command in its source."""
    source = file.read_text(encoding="utf-8") if file.is_file() else ""
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    return '__name__ == "__main__"' in source and all(f'"{option}"' in source for option in options)


def missing_files(text: str) -> list[str]:
    """Paths of this repository that lead nowhere, and names of Python files that no folder has."""
    paths = {MAPPED.sub("", found.rstrip("./")) for found in PATH.findall(text)}
    return [
        *(path for path in sorted(paths) if not any(ROOT.glob(path))),
        *(name for name in FILE_NAME.findall(text) if name not in file_names()),
    ]


def file_names() -> set[str]:
    folders = ("benchmarks", "docs", "engines", "streamaffect", "tests", "train")
    return {"run_stream.py", *(file.name for folder in folders for file in (ROOT / folder).rglob("*.py"))}


def undefined_names(text: str) -> list[str]:
    """Dotted names of modules, functions and classes that are not there."""
    return [name for name in NAME.findall(text) if not NO_MODULES.match(name) and not is_defined(name)]


def is_defined(name: str) -> bool:
    parts = MAPPED.sub("", name).split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return length == len(parts) or parts[length] in bound_names(file)
        if path.is_dir():
            return length == len(parts)
    return False


def bound_names(file: Path) -> set[str]:
    """What a module defines or imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


@pytest.mark.parametrize("faults", [faulty_commands, missing_files, undefined_names])
def test_commands_files_and_names_that_are_spoken_of_exist(faults: Callable[[str], list[str]]) -> None:
    found = {str(file.relative_to(ROOT)): faults(file.read_text(encoding="utf-8")) for file in TEXTS}
    assert {file: wrong for file, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    "command",
    [
        "python -m train.methods.none --config configs/train/jmt/smoke.toml",
        "python -m train.convert fold.pth.tar fold.safetensors",  # a module, but none to be run
        "python -m train score --config configs/train/jmt/smoke.toml",
        "python -m train score",
        "python -m train fit --recipe configs/train/jmt/smoke.toml",
        "python -m engines make",
        "python benchmarks/speed.py",
        "python benchmarks/latency.py --minutes 1",
        "python -m benchmarks.methods.meld_text --words all",
    ],
)
def test_a_planted_wrong_command_is_found(command: str) -> None:
    assert faulty_commands(f"To see it, `{command}`.") == [command]


@pytest.mark.parametrize(
    "command",
    ["python -m train fit --config configs/train/jmt/smoke.toml", "python -m train fit …", "python -m engines build"],
)
def test_a_right_command_passes(command: str) -> None:
    assert faulty_commands(f"To see it, `{command}`.") == []


@pytest.mark.parametrize("path", ["configs/train/jmt_smoke.toml", "tests/none/", "train/jmt.py", "docs/m*/jnt.md"])
def test_a_planted_wrong_path_is_found(path: str) -> None:
    assert missing_files(f"See `{path}`, and train/<class>/1.png, ~/engines/none.") == [path.rstrip("/")]


def test_a_planted_wrong_name_is_found() -> None:
    text = "`train.losses.jmt_ccc_loss`, `train.methods.jmt.none`, `train.losses.ccc_loss`, `train.csv`, `none.py`"
    assert undefined_names(text) == ["train.losses.jmt_ccc_loss", "train.methods.jmt.none"]
    assert missing_files(text) == ["none.py"]
