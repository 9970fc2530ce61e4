"""Run the recipe of a single method: `python -m train.methods --config RECIPE`. Its key `method` says which.

runs/<recipe>/training/     checkpoints and metrics; an interrupted run goes on with the same command
runs/<recipe>/report.json   the scores
runs/<recipe>/bundle/       of the methods that can be exported
"""

import argparse
import json
import re
import sys
from itertools import takewhile
from pathlib import Path

import msgspec
from lightning_fabric import Fabric
from rich.console import Console

from streamaffect.errors import ConfigError, StreamAffectError

from ..loop.progress import Progress
from .au_guided import run as au_guided_run
from .au_guided.recipe import AuGuidedRecipe
from .compound import run as compound_run
from .compound.recipe import CompoundRecipe
from .compound_text import run as compound_text_run
from .compound_text.recipe import CompoundTextRecipe
from .emoclip import run as emoclip_run
from .emoclip.downstream import run as emoclip_downstream_run
from .emoclip.downstream.recipe import EmoClipDownstreamRecipe
from .emoclip.recipe import EmoClipRecipe
from .jmt import run as jmt_run
from .jmt.recipe import JmtRecipe
from .pkdot import run as pkdot_run
from .pkdot.recipe import PkdotRecipe
from .stochastic_softmax import run as stochastic_softmax_run
from .stochastic_softmax.recipe import StochasticSoftmaxRecipe
from .subject_msda import run as subject_msda_run
from .subject_msda.recipe import SubjectMsdaRecipe

MethodRecipe = (
    AuGuidedRecipe
    | CompoundRecipe
    | CompoundTextRecipe
    | EmoClipDownstreamRecipe
    | EmoClipRecipe
    | JmtRecipe
    | PkdotRecipe
    | StochasticSoftmaxRecipe
    | SubjectMsdaRecipe
)


def load_method_recipe(path: Path) -> MethodRecipe:
    """Read and check a recipe.

    Raises:
        ConfigError: the file is missing or not TOML, a key is unknown, or a value is of the wrong type or range.
    """
    try:
        recipe: MethodRecipe = msgspec.toml.decode(path.read_bytes(), type=MethodRecipe)
        return recipe
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); --config takes a method's recipe, e.g. "
                          "configs/train/au_guided/smoke.toml") from error  # fmt: skip
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def load_emoclip_recipe(path: Path) -> EmoClipRecipe:
    """As `load_method_recipe`; also raises ConfigError if it is of another method."""
    recipe = load_method_recipe(path)
    if not isinstance(recipe, EmoClipRecipe):
        raise ConfigError(f"{path}: is no recipe of the method emoclip")
    return recipe


def run_method(path: Path, data: Path | None, folder: Path, progress: Progress) -> dict[str, float]:
    """Train and score the recipe and write `report.json`; raises ConfigError, DataError or TrainingError."""
    recipe = load_method_recipe(path)
    fabric = Fabric()
    fabric.launch()
    training = folder / "training"
    match recipe:
        case AuGuidedRecipe():
            report = au_guided_run.run(recipe, data, training, fabric, progress)
        case CompoundRecipe():
            report = compound_run.run(recipe, data, training, fabric, progress)
        case CompoundTextRecipe():
            report = compound_text_run.run(recipe, data, training, fabric, progress)
        case EmoClipRecipe():
            report = emoclip_run.run(recipe, data, training, fabric, progress, beside=path.parent)
        case EmoClipDownstreamRecipe():
            base = load_emoclip_recipe(path.parent / recipe.base)
            report = emoclip_downstream_run.run(
                recipe, base, data, training, fabric=fabric, progress=progress, beside=path.parent
            )
        case StochasticSoftmaxRecipe():
            report = stochastic_softmax_run.run(recipe, data, training, fabric, progress)
        case JmtRecipe():
            report = jmt_run.run(recipe, data, training, fabric, progress)
        case PkdotRecipe():
            report = pkdot_run.run(recipe, data, training, fabric, progress)
        case SubjectMsdaRecipe():
            report = subject_msda_run.run(recipe, data, training, fabric, progress)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def recipes() -> list[tuple[Path, str, str]]:
    """The shipped recipes of methods: file, method, and the first sentence of its comment."""
    found = []
    for file in sorted((Path(__file__).parents[2] / "configs" / "train").glob("*.toml")):
        text = file.read_text(encoding="utf-8")
        method = msgspec.toml.decode(text).get("method")
        if isinstance(method, str):
            found.append((file, method, _first_sentence(text)))
    return found


def _first_sentence(recipe: str) -> str:
    """Of the comment at the top."""
    comment = takewhile(lambda line: line.startswith("#"), recipe.splitlines())
    return re.split(r"(?<! al)[.:](?= |$)", " ".join(line.lstrip("# ") for line in comment))[0]


def _overview() -> str:
    """What there is to run, method by method."""
    lines = ["Recipes; those named _smoke draw their data and take seconds:", ""]
    last = ""
    for file, method, about in sorted(recipes(), key=lambda one: one[1]):
        lines += [f"{method}"] if method != last else []
        lines.append(f"  {file.parent.parent.name}/{file.parent.name}/{file.name}  {about}")
        last = method
    return "\n".join([*lines, "", "Each method has a page in docs/methods."])


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0, 2 for a user's mistake with one line on stderr, 130 when interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m train.methods", description="Train and score a single method.", epilog=_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the recipe, a TOML file")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the data set's folder, unless the recipe draws its own"
    )
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="folder of the run (default: runs/<name of the recipe>)"
    )
    options = parser.parse_args(arguments)
    try:
        with Progress(Console()) as progress:
            folder = options.run or Path("runs") / options.config.stem
            report = run_method(options.config, options.data, folder, progress)
            progress.console.print_json(json.dumps(report))
    except StreamAffectError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command continues from the last checkpoint\n")
        return 130
    return 0
