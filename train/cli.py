"""The command line of training: `python -m train VERB …`. Only what parses is imported here."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamaffect.errors import StreamAffectError

if TYPE_CHECKING:
    from .loop.progress import Progress

RUN_VERBS = {
    "fit": "train the recipe's method, or go on where it was interrupted; then score it and write the bundle",
    "evaluate": "only score a finished run",
    "export": "only write the bundle of a finished run",
    "prepare": "only prepare the data, such as the faces of videos, so that `fit` finds them",
    "protocol": "the same as `fit`, for recipes of published protocols, e.g. configs/train/relational/amigos.toml",
}

FIT = """\
Trains what a recipe says: its key `method` names one of the methods below. The run is kept in runs/<name of the
recipe>; the same command goes on with an interrupted run. In several processes:
torchrun --nproc-per-node N -m -- train fit …
"""

PERSONALISE = """\
Fits a bundle to one person from that person's own videos and pictures, without labels. The faces are found and cut as
in the stream. What is learned is one vector that is added to the person's clip vectors; the networks stay as they are.

  python -m train personalise --recording my_videos --bundle engines/default --out me
  python run_stream.py --source webcam --bundle me

Record a minute or more, alone, in the light and with the camera of later use, with varied expressions. Files that show
several people are refused, and so is too little footage or none that is judged with confidence. The folder then holds a
whole bundle and report/report.md: what has changed on your clips. Nobody has labelled them, so the report cannot say
whether it is better; docs/methods/subject_msda.md says how often it was. No picture is stored or sent. Ask the person
first, and delete the folder when they want it deleted.
"""


QUANTISE = """\
Gives a bundle the int8 graphs that `export` gives a new one: the frame encoder's, with ranges measured on pictures that
the recipe trains on, and probe crops by which each machine finds out whether it runs them well. The weights stay.

  python -m train quantise --bundle runs/default/bundle --config configs/train/relational/default.toml --data DIR
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0, 2 for a user's mistake with one line on stderr, 130 when interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser(shows_recipes=bool({"-h", "--help"} & set(words))).parse_args(words)
    try:
        options.work(options)
    except StreamAffectError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command continues from the last checkpoint\n")
        return 130
    return 0


def _parser(*, shows_recipes: bool) -> argparse.ArgumentParser:
    from .recipes import overview

    parser = argparse.ArgumentParser(prog="python -m train", description="Data to model to bundle.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, help_text in RUN_VERBS.items():
        sub = _verb(verbs, verb, _prepare if verb == "prepare" else _run, help_text)
        if verb == "fit":
            sub.description, sub.epilog = FIT, overview() if shows_recipes else None
        _add_run_options(sub)
    card = _verb(verbs, "card", _print_card, "print the model card of a bundle, made again from its manifest")
    _add_run_options(card)
    personal = _verb(verbs, "personalise", _personalise, "fit a bundle to one person's own videos and pictures")
    personal.description = PERSONALISE
    _add_personalise_options(personal)
    _add_prompts_options(_verb(verbs, "prompts", _prompts, "give a bundle of EmoCLIP other classes, without training"))
    quantised = _verb(verbs, "quantise", _quantise, "give a bundle an int8 frame encoder, without training")
    quantised.description = QUANTISE
    _add_quantise_options(quantised)
    convert = _verb(verbs, "convert", _convert, "turn a published checkpoint into safetensors, running no code from it")
    convert.add_argument("source", type=Path, help="a .pt, .pth or .pth.tar file")
    convert.add_argument("target", type=Path, help="the .safetensors file to write")
    return parser


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    work: Callable[[argparse.Namespace], None],
    about: str,
) -> argparse.ArgumentParser:
    sub = verbs.add_parser(name, help=about, description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub.set_defaults(work=work)
    return sub


def _add_run_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--config", type=Path, required=True, metavar="FILE", help="the recipe, a TOML file")
    sub.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of the data sets, unless the recipe draws its own data"
    )
    sub.add_argument("--run", type=Path, metavar="DIR", help="folder of the run (default: runs/<name of the recipe>)")
    sub.add_argument("--export", type=Path, metavar="DIR", help="folder of the bundle (default: <run>/bundle)")


def _add_personalise_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--recording", type=Path, required=True, metavar="DIR",
        help="folder with videos and pictures of the person alone, or one such file",
    )  # fmt: skip
    sub.add_argument("--bundle", type=Path, metavar="DIR", help="the bundle to start from (default: the shipped one)")
    sub.add_argument("--out", type=Path, metavar="DIR", help="the personal bundle (default: runs/<name>-personal)")
    sub.add_argument(
        "--config", type=Path, metavar="FILE", help="settings, e.g. configs/train/subject_msda/personalise.toml"
    )


def _add_prompts_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="a bundle of EmoCLIP")
    sub.add_argument("--clip", required=True, metavar="CLIP", help="the CLIP it was made with, a folder or a name")
    sub.add_argument("--prompts", type=Path, required=True, metavar="FILE", help='lines of: name = "A sentence."')
    sub.add_argument("--output", type=Path, metavar="DIR", help="folder of the new bundle (default: the old one)")


def _add_quantise_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="the bundle, which is changed in place")
    sub.add_argument("--config", type=Path, required=True, metavar="FILE", help="the recipe that it was trained by")
    sub.add_argument("--data", type=Path, metavar="DIR", help="folder of the data sets")
    sub.add_argument("--run", type=Path, metavar="DIR", help="folder of the run (default: runs/<name of the recipe>)")


def _run(options: argparse.Namespace) -> None:
    from .methods.harness import run_recipe

    verb: Any = "fit" if options.verb == "protocol" else options.verb
    with _first_process() as progress:
        report = run_recipe(
            verb, options.config, progress, data=options.data, folder=options.run, target=options.export
        )
        if report:
            progress.console.print_json(json.dumps(report))


def _prepare(options: argparse.Namespace) -> None:
    from .methods.harness import prepare_recipe

    with _first_process() as progress:
        prepare_recipe(options.config, progress, data=options.data, folder=options.run)


def _quantise(options: argparse.Namespace) -> None:
    from .methods.harness import quantise_bundle

    with _first_process() as progress:
        quantise_bundle(options.bundle, options.config, progress, data=options.data, folder=options.run)


def _personalise(options: argparse.Namespace) -> None:
    from .methods.harness import limit_threads
    from .methods.subject_msda.personal.run import run_personalise

    limit_threads()
    with _first_process() as progress:
        run_personalise(options.recording, options.bundle, options.out, options.config, progress)


def _prompts(options: argparse.Namespace) -> None:
    from .methods.emoclip.prompts import replace_prompts

    with _first_process() as progress:
        replace_prompts(options.bundle, options.clip, options.prompts, options.output or options.bundle, progress)


def _convert(options: argparse.Namespace) -> None:
    from .convert import convert_checkpoint

    sys.stdout.write("\n".join(convert_checkpoint(options.source, options.target)) + "\n")


def _print_card(options: argparse.Namespace) -> None:
    from streamaffect.runtime.bundle import load_bundle

    from .bundle.card import model_card, notes_path
    from .methods.harness import default_folder
    from .methods.registry import load_recipe

    target = options.export or (options.run or default_folder(options.config, load_recipe(options.config))) / "bundle"
    sys.stdout.write(model_card(load_bundle(target).manifest, notes_path(options.config)))


def _first_process() -> "Progress":
    """The console of a run; of several processes that torchrun started, the first one alone speaks."""
    import os

    from rich.console import Console

    from .loop.progress import Progress

    return Progress(Console(quiet=os.environ.get("RANK", "0") != "0"))
