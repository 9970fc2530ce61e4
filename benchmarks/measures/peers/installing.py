"""Peers in folders of their own: a virtual environment or a project of npm, made once and kept.

Nothing gets into the environment that runs the benchmark. What cannot be installed says why in one line.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

STAMP, LOG = "installed.json", "install.log"
PATIENCE_S = 1800.0


class NotInstalledError(Exception):
    """A peer that cannot be had here, and why."""


def make_venv(folder: Path, *installs: Sequence[str]) -> Path:
    """A virtual environment; returns its Python.

    installs: the words of one `pip install` after another
    Raises NotInstalledError.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    commands = [[sys.executable, "-m", "venv", str(folder)], *([*pip, *words] for words in installs)]
    _make(folder, commands)
    return python


def make_npm_project(folder: Path, packages: Sequence[str]) -> Path:
    """A project of npm, of whose packages none runs a script of its own; returns Node.js. Raises NotInstalledError."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotInstalledError("Node.js with npm is not installed; your system's packages are nodejs and npm")
    words = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
    _make(folder, [[npm, *words, "--prefix", str(folder), *packages]])
    return Path(node)


def _make(folder: Path, commands: Sequence[Sequence[str]]) -> None:
    """Run the commands unless they have been; a folder that was left half-made is made anew."""
    stamp, told = folder / STAMP, json.dumps([list(command) for command in commands])
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == told:
        return
    if (folder / LOG).is_file():  # made here before, by another version or not to the end
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise NotInstalledError(f"{folder} holds something else; name another folder")
    (folder / LOG).touch()
    for command in commands:
        run(command, folder / LOG)
    stamp.write_text(told, encoding="utf-8")


def run(command: Sequence[str], log: Path, *, folder: Path | None = None) -> None:
    """Run a step of an installation, in a folder; what it says goes to the log. Raises NotInstalledError."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"{Path(command[0]).name}: {error}") from error
    with log.open("a", encoding="utf-8") as out:
        out.write(f"{done.stdout}{done.stderr}\n")
    if done.returncode:
        raise NotInstalledError(reason(done.stdout + done.stderr))


def reason(output: str) -> str:
    """The line of a failed command's output that says most: its last error, else its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it failed and said nothing"])[-1]
