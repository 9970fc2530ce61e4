"""The command line of training: `python -m train fit --config RECIPE` and its parts, and `personalise`."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from streamaffect.errors import ConfigError, StreamAffectError

if TYPE_CHECKING:
    from .loop.progress import Progress
    from .methods.relational.run import Run

VERBS = {
    "fit": "train both stages, or continue; then evaluate and export",
    "prepare": "only cut the faces of the videos",
    "evaluate": "only calibrate and score a finished run",
    "export": "only write the bundle of an evaluated run",
    "protocol": "train and score every fold of a published protocol, e.g. configs/train/relational/amigos.toml",
    "card": "print the model card of a bundle, made again from its manifest",
}

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


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0, 2 for a user's mistake with one line on stderr, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        _dispatch(options)
    except StreamAffectError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command continues from the last checkpoint\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train", description="Data to model to bundle.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, help_text in VERBS.items():
        sub = verbs.add_parser(verb, help=help_text, description=help_text)
        sub.add_argument("--config", type=Path, required=True, metavar="FILE", help="the recipe, a TOML file")
        sub.add_argument("--data", type=Path, metavar="DIR", help="folder that holds ferplus/, lfw_faces/ and videos/")
        sub.add_argument(
            "--run", type=Path, metavar="DIR", help="folder of the run (default: runs/<name of the recipe>)"
        )
        sub.add_argument("--export", type=Path, metavar="DIR", help="folder of the bundle (default: <run>/bundle)")
    _add_personalise(verbs)
    return parser


def _add_personalise(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    sub = verbs.add_parser(
        "personalise",
        help="fit a bundle to one person's own unlabelled videos and pictures",
        description=PERSONALISE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sub.add_argument(
        "--recording", type=Path, required=True, metavar="DIR",
        help="folder with videos and pictures of the person alone, or one such file",
    )  # fmt: skip
    sub.add_argument("--bundle", type=Path, metavar="DIR", help="the bundle to start from (default: the shipped one)")
    sub.add_argument("--out", type=Path, metavar="DIR", help="the personal bundle (default: runs/<name>-personal)")
    sub.add_argument(
        "--config", type=Path, metavar="FILE", help="settings, e.g. configs/train/subject_msda/personalise.toml"
    )


def _dispatch(options: argparse.Namespace) -> None:
    if options.verb == "personalise":
        _personalise(options)
        return
    folder = options.run or Path("runs") / options.config.stem
    target = options.export or folder / "bundle"
    if options.verb == "card":
        _print_card(options.config, target)
        return
    from rich.console import Console

    from .loop.progress import Progress
    from .methods.relational.run import Run, limit_threads

    limit_threads()
    is_first = os.environ.get("RANK", "0") == "0"  # of several processes that torchrun started
    with Progress(Console(quiet=not is_first)) as progress:
        if options.verb == "protocol":
            _run_protocol(options.config, options.data, folder, progress)
            return
        run = Run(options.config, folder, options.data, progress)
        _run_verb(options.verb, run, target)


def _run_verb(verb: str, run: "Run", target: Path) -> None:
    if verb == "prepare":
        run.prepare()
    if verb == "fit":
        run.fit()
        if not run.fabric.is_global_zero:
            return
    if verb in ("fit", "evaluate"):
        run.progress.console.print_json(json.dumps(run.evaluate()))
    if verb in ("fit", "export"):
        manifest = run.export(target)
        run.progress.note(manifest.label, f"written to {target}")


def _run_protocol(path: Path, data: Path | None, folder: Path, progress: "Progress") -> None:
    from .methods.relational.protocol.run import run_protocol

    if data is None:
        raise ConfigError("protocol: --data must name the folder of the data set that the protocol is for")
    for score in run_protocol(path, data, folder, progress).pooled:
        bounds = "" if score.low is None else f"  95 % interval {score.low:.3f} to {score.high:.3f}"
        progress.note(f"{score.metric} {score.output}", f"{score.value:.3f}{bounds}")


def _personalise(options: argparse.Namespace) -> None:
    from rich.console import Console

    from streamaffect.types import NOTICE

    from .loop.progress import Progress
    from .methods.relational.run import limit_threads
    from .methods.subject_msda.personal.report import FOLDER, summary
    from .methods.subject_msda.personal.run import load_settings, personalise

    limit_threads()
    with Progress(Console()) as progress:
        settings = load_settings(options.config)
        made = personalise(options.recording, options.bundle, options.out, settings, progress)
        for line in summary(made.report):
            progress.note("note", line)
        progress.note(made.manifest.label, f"written to {made.folder}, see {made.folder / FOLDER / 'report.md'}")
        progress.note("notice", NOTICE)


def _print_card(recipe: Path, bundle: Path) -> None:
    from streamaffect.runtime.bundle import load_bundle

    from .bundle.card import model_card, notes_path

    sys.stdout.write(model_card(load_bundle(bundle).manifest, notes_path(recipe)))
