"""A training of a benchmark: the context that a method's parts are given, without the recipe's file of a run."""

from pathlib import Path

from lightning_fabric import Fabric

from train.loop.context import Context
from train.loop.progress import Progress


def training_context(folder: Path, progress: Progress, *, seed: int) -> Context:
    """One process on the CPU. What is trained is kept in `folder`, and an interrupted benchmark goes on from there."""
    return Context(
        recipe_file=folder / "recipe.toml",
        data=None,
        folder=folder,
        target=folder / "bundle",
        fabric=Fabric(accelerator="cpu"),
        progress=progress,
        seed=seed,
    )
