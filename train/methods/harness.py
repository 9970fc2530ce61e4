"""One way to run any method: find it by its recipe, give it a context, keep its record and its report."""

from pathlib import Path

import cv2

from streamaffect.errors import ConfigError

from ..loop.context import REPORT, Context, Report, Verb
from ..loop.processes import join_processes
from ..loop.progress import Progress
from .registry import LoadedRecipe, load_recipe


def run_recipe(
    verb: Verb,
    file: Path,
    progress: Progress,
    *,
    data: Path | None = None,
    folder: Path | None = None,
    target: Path | None = None,
) -> Report:
    """Train, score or export what a recipe says, and write `report.json`.

    A run that is scored in another way than its own keeps its report: the scores go to `report-<recipe>.json`.

    folder: of the run, by default `runs/<name of the recipe>`; target: of the bundle, by default `bundle/` below it

    Raises ConfigError, DataError or TrainingError.
    """
    loaded = load_recipe(file)
    context = open_context(verb, loaded, file, progress, data=data, folder=folder, target=target)
    context.start(loaded.recipe)
    work = loaded.method.work(verb)
    assert work is not None
    report = work(loaded.recipe, context)
    scored_otherwise = verb == "evaluate" and bool(loaded.method.evaluate)
    context.report(report, f"report-{file.stem}.json" if scored_otherwise else REPORT)
    context.leave()
    return report


def prepare_recipe(file: Path, progress: Progress, *, data: Path | None = None, folder: Path | None = None) -> None:
    """Do what of a recipe's run can be done beforehand. Raises ConfigError where the method has nothing of the kind."""
    loaded = load_recipe(file)
    work = loaded.method.work("prepare")
    if work is None:
        raise ConfigError(f"{file}: the method {loaded.method.name} prepares its data as it trains; use `fit`")
    work(loaded.recipe, open_context("fit", loaded, file, progress, data=data, folder=folder))


def quantise_bundle(
    bundle: Path, file: Path, progress: Progress, *, data: Path | None = None, folder: Path | None = None
) -> None:
    """Give a bundle int8 graphs, calibrated on a recipe's data. Raises ConfigError where the method cannot."""
    loaded = load_recipe(file)
    work = loaded.method.work("quantise")
    if work is None:
        raise ConfigError(
            f"{file}: the method {loaded.method.name} makes no int8 graphs; `engines build` can, of any bundle"
        )
    work(loaded.recipe, open_context("export", loaded, file, progress, data=data, folder=folder, target=bundle))


def open_context(
    verb: Verb,
    loaded: LoadedRecipe,
    file: Path,
    progress: Progress,
    *,
    data: Path | None = None,
    folder: Path | None = None,
    target: Path | None = None,
) -> Context:
    """The context of a run, with the processes that share it joined."""
    limit_threads()
    for note in loaded.notes:
        progress.note(file.name, note)
    folder = folder or default_folder(file, loaded)
    fabric = join_processes(getattr(loaded.recipe, "precision", "32-true"))
    return Context(
        recipe_file=file,
        data=data,
        folder=folder,
        target=target or folder / "bundle",
        fabric=fabric,
        progress=progress,
        seed=loaded.recipe.seed,
        verb=verb,
    )


def default_folder(file: Path, loaded: LoadedRecipe) -> Path:
    """`runs/<name of the recipe>`: as its file is called, or as it calls itself where that only says more.

    Two files may train one bundle, and `smoke.toml` of one method is not that of another.
    """
    name: str = loaded.recipe.name
    return Path("runs") / (name if name.endswith(file.stem) else file.stem)


def limit_threads() -> None:
    """Keep OpenCV on one thread: batches are augmented beside the training, not before it."""
    cv2.setNumThreads(1)
