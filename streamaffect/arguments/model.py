"""The verbs that ask the model: its lenses, a lens of your own, what prompts mean, why a face is called what it is."""

import argparse
from pathlib import Path

from streamaffect.arguments.verb import Verbs, add_bundle, add_engine, add_verb, finish

PERSONALISE_EXAMPLES = """\
examples:
  python run_stream.py --source webcam --record-crops me.crops     # a minute or more, alone, in varied moods
  streamaffect personalise me.crops --out me
  python run_stream.py --source webcam --lens me=me
  streamaffect personalise --delete me.crops me

The recording holds pictures of a face: ask first, and delete it when that person wants it. PRIVACY.md says more.
"""

PROMPTS_EXAMPLES = """\
examples:
  streamaffect prompts show "she is beaming; about to cry; eyebrows raised"
  streamaffect prompts compile mine.toml --out mine.json
  python run_stream.py --source webcam --prompts mine.json

A TOML file holds prompts = ["she is beaming", "about to cry"], or lines such as joy = "she is beaming".
Phrases of the bank (streamaffect/prompts/bank.toml) need nothing; others need pip install 'streamaffect[prompts]'.
"""

EXPLAIN_EXAMPLES = """\
methods:
  distilled   in one look, where hiding the face would take the answer away: the lens `map` (default)
  occlusion   the same measured, by hiding the face bit by bit: the check, for sixty times the cost
  aligned     where the textbook's action units of that emotion lie, whatever the model looks at

examples:
  streamaffect explain portrait.jpg
  streamaffect explain portrait.jpg --save why.png
  streamaffect explain portrait.jpg --method occlusion --save check.png --overwrite

They say what the model's answer hangs on, not what a person feels. Python: streamaffect.analyze_image(…, explain=True).
"""


def add_lenses(verbs: Verbs) -> None:
    """The verb `lenses`."""
    parser = add_verb(
        verbs,
        "lenses",
        summary="which further outputs there are, what they cost and what they can't do",
        description="List the lenses that `run --lens NAME` can switch on, with size, cost and figures on unseen data.",
    )
    add_bundle(parser)
    parser.add_argument("--json", action="store_true", help="the list as JSON")
    finish(parser, _lenses)


def _lenses(options: argparse.Namespace) -> int:
    from streamaffect.verbs.lenses import lenses

    return lenses(bundle=options.bundle, as_json=options.json)


def add_personalise(verbs: Verbs) -> None:
    """The verb `personalise`."""
    parser = add_verb(
        verbs,
        "personalise",
        summary="fit valence and arousal to one person, from crops that a run has recorded",
        description="Learn a lens for one person from a recording of face crops, without labels, or delete both.",
        epilog=PERSONALISE_EXAMPLES,
    )
    parser.add_argument("recording", type=Path, nargs="?", metavar="RECORDING", help="made by run --record-crops")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the lens")
    add_bundle(parser)
    parser.add_argument(
        "--delete", type=Path, nargs="+", default=[], metavar="PATH", help="recordings of crops, and personal lenses"
    )
    finish(parser, _personalise)


def _personalise(options: argparse.Namespace) -> int:
    from streamaffect.verbs.personalise import personalise

    return personalise(options.recording, options.out, bundle=options.bundle, delete=options.delete)


def add_prompts(verbs: Verbs) -> None:
    """The verb `prompts`."""
    parser = add_verb(
        verbs,
        "prompts",
        summary="what sentences mean to the stream, before a run looks for them",
        description="Show what prompts mean, or compile them, so that a run needs no sentence encoder.",
        epilog=PROMPTS_EXAMPLES,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    show = commands.add_parser("show", help="what each prompt means, and whether it is understood")
    compiled = commands.add_parser("compile", help="write what the prompts mean to a file, for run --prompts FILE")
    for command in (show, compiled):
        command.add_argument("prompts", metavar="TEXT|FILE", help='"she is beaming; about to cry", or a TOML file')
        add_bundle(command)
    show.add_argument("--json", action="store_true", help="as JSON")
    compiled.add_argument("--out", type=Path, required=True, metavar="FILE", help="the compiled prompts, FILE.json")
    compiled.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    for command in (show, compiled):
        finish(command, _prompts)


def _prompts(options: argparse.Namespace) -> int:
    from streamaffect.prompts.command import prompts

    return prompts(options)


def add_explain(verbs: Verbs) -> None:
    """The verb `explain`."""
    parser = add_verb(
        verbs,
        "explain",
        summary="why the faces of a picture are called what they are called",
        description="Say of each face of a picture which parts of it the answer hangs on, and draw that over it.",
        epilog=EXPLAIN_EXAMPLES,
    )
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="a file such as portrait.jpg")
    parser.add_argument(
        "--method",
        choices=("distilled", "aligned", "occlusion"),
        default="distilled",
        help="default: %(default)s",
    )
    parser.add_argument("--save", type=Path, metavar="OUT.png", help="write the picture with the maps drawn over it")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.png if it exists")
    parser.add_argument("--json", action="store_true", help="the estimates as JSON, in the form of the wire")
    add_bundle(parser)
    add_engine(parser)
    finish(parser, _explain)


def _explain(options: argparse.Namespace) -> int:
    from streamaffect.verbs.pictures.explain import explain

    return explain(
        options.picture,
        method=options.method,
        save=options.save,
        overwrite=options.overwrite,
        as_json=options.json,
        bundle=options.bundle,
        engine=options.engine,
    )
