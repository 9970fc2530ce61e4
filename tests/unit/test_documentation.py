"""The documents name commands, settings, files and names that exist."""

import ast
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

import streamaffect
from streamaffect.cli import main
from streamaffect.config import load_config

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)(?P<target>[^)#\s]+)")
# At the start of a line, after `&&`, or in a service file; with or without the path of an environment.
PROGRAM = re.compile(
    r"(?:^|&& |ExecStart=)(?:\S*/)?(?P<program>python run_stream\.py|streamaffect) (?P<words>[^|#&>\n]+)", re.MULTILINE
)


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
    for verb in ("_run", "_listen", "_replay", "_export", "_doctor", "_keys"):
        monkeypatch.setattr(f"streamaffect.cli.{verb}", lambda _: understood)
    assert main(shlex.split(words)) == understood


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_exists_and_takes_the_value(setting: str) -> None:
    load_config(overrides=[setting])


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=block_name)
def test_every_python_example_compiles_and_imports_what_is_there(block: Block) -> None:
    imported = [
        alias.name
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.ImportFrom) and node.module == "streamaffect"
        for alias in node.names
    ]
    assert [name for name in imported if name not in streamaffect.__all__] == []


def test_there_are_commands_settings_and_examples_to_check() -> None:
    assert len(COMMANDS) > 10
    assert len(SETTINGS) > 3
    assert {block.language for block in BLOCKS} >= {"", "python", "js", "json"}
