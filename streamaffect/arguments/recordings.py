"""The verbs of a recording: publish it again, convert it, look at it."""

import argparse
from pathlib import Path

from streamaffect.arguments.flags import given_settings
from streamaffect.arguments.loading import loading
from streamaffect.arguments.verb import DEFAULT_PAGE, Verbs, add_page, add_verb, finish

VIEW_EXAMPLES = """\
examples:
  streamaffect view interview.jsonl --video interview.mp4
  streamaffect view session.jsonl --web 127.0.0.1:9000 --open
"""


def add_replay(verbs: Verbs) -> None:
    """The verb `replay`."""
    parser = add_verb(
        verbs,
        "replay",
        summary="publish a recording again, at its own pace",
        description="Publish a recording again with its original clock. The same as run --source replay:RECORDING.",
    )
    parser.add_argument("recording", type=Path, metavar="RECORDING")
    parser.add_argument("--bind", metavar="ADDRESS", help="address of the feed; default tcp://127.0.0.1:5556")
    parser.add_argument("--display", action=argparse.BooleanOptionalAction, default=None, help="live view")
    add_page(parser)
    finish(parser, _replay)


def _replay(options: argparse.Namespace) -> int:
    with loading():
        from streamaffect.config import load_config
        from streamaffect.verbs.run import run

    options.source = [f"replay:{options.recording}"]
    return run(load_config(flags=given_settings(options)), display=options.display)


def add_export(verbs: Verbs) -> None:
    """The verb `export`."""
    parser = add_verb(
        verbs,
        "export",
        summary="convert a recording to CSV, Parquet, EmotionML, XDF, ELAN or BORIS",
        description="Convert a recording; the ending of OUT says the format: .csv, .parquet, .emotionml, .xdf (Lab "
        "Streaming Layer), .eaf (ELAN) or .tsv (BORIS).",
    )
    parser.add_argument("recording", type=Path, metavar="RECORDING")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--stream", metavar="NAME", help="only this stream")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    parser.add_argument(
        "--decimal", choices=(".", ","), default=".", help="of CSV; with a comma, semicolons stand between values"
    )
    parser.add_argument("--clean", action="store_true", help="resample to a fixed rate, with gaps as gaps")
    parser.add_argument("--rate", type=float, metavar="HZ", help="rows per second and face, with --clean")
    parser.add_argument(
        "--voice",
        action="store_true",
        help="instead of estimates what was heard, a row twice a second, whosever voice it was; .csv, .parquet",
    )
    finish(parser, _export)


def _export(options: argparse.Namespace) -> int:
    from streamaffect.verbs.export import export

    return export(
        options.recording,
        options.out,
        stream=options.stream,
        overwrite=options.overwrite,
        decimal=options.decimal,
        clean=options.clean,
        rate=options.rate,
        of="voice" if options.voice else "estimates",
    )


def add_view(verbs: Verbs) -> None:
    """The verb `view`."""
    parser = add_verb(
        verbs,
        "view",
        summary="look at a recording in a browser",
        description="Open a recording in the page: its course, markers and gaps; zoom, leave stretches out, export.",
        epilog=VIEW_EXAMPLES,
    )
    parser.add_argument("recording", type=Path, metavar="RECORDING")
    parser.add_argument("--video", type=Path, metavar="FILE", help="the video that was recorded, to be seen beside it")
    parser.add_argument(
        "--video-offset", type=float, default=0.0, metavar="S", help="second of the recording at which the video begins"
    )
    parser.add_argument("--web", default=DEFAULT_PAGE, metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument("--web-token", metavar="FILE", help="file with the token that a browser must know")
    parser.add_argument("--open", action="store_true", help="open this machine's browser")
    finish(parser, _view)


def _view(options: argparse.Namespace) -> int:
    from streamaffect.config import load_config
    from streamaffect.verbs.page.view import view

    return view(
        options.recording,
        load_config(flags=given_settings(options)).web,
        video=options.video,
        video_offset_s=options.video_offset,
        opens_browser=options.open,
    )
