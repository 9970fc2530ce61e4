"""`python -m train` for tests: as a program of its own, and runs whose parts a test calls."""

import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from train.loop.context import Context, Verb
from train.loop.progress import Progress
from train.methods.harness import open_context
from train.methods.registry import load_recipe

ROOT = Path(__file__).parents[3]
CONFIGS = ROOT / "configs" / "train"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(*words: object) -> list[str]:
    """The command line of `python -m train` with these words."""
    return [sys.executable, "-m", "train", *map(str, words)]


def train(*words: object) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(command(*words), cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def context(recipe: Path, folder: Path, *, verb: Verb = "fit", data: Path | None = None) -> Context:
    """The context of a run in `folder` that says nothing."""
    return open_context(verb, load_recipe(recipe), recipe, Progress(Console(quiet=True)), data=data, folder=folder)
