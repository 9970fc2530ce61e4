"""The verbs `run` and `record`: estimate affect from sources and publish it."""

import argparse
from functools import partial
from pathlib import Path

from streamaffect.arguments.flags import given_settings
from streamaffect.arguments.loading import loading
from streamaffect.arguments.verb import Verbs, add_bundle, add_display, add_insecure_bind, add_page, add_verb, finish
from streamaffect.errors import ConfigError

SOURCES = """\
sources:
  webcam, webcam:1       a camera by its number
  clip.mp4               a video file, as fast as it goes and without loss; with --realtime by its clock;
                         clip.mkv#video=1 and clip.mkv#audio=1 choose among several tracks
  rtsp://user:pw@host/1  a network camera; also rtsps://, http:// and https://
  demo                   the shipped clip of a face, looped
  synthetic              moving faces for tests, e.g. synthetic:faces=3,fps=30,size=1280x720
  replay:run.jsonl       a recording, published again at its own pace;
                         replay:all.jsonl#part=2 chooses among several in one file
  lab=webcam             any of them under a name of yours; --source may be given several times
"""

RUN_EXAMPLES = """\
examples:
  python run_stream.py --source webcam
  python run_stream.py --source interview.mp4 --record interview.jsonl
  python run_stream.py --source door=rtsp://10.0.0.7/live --source desk=webcam:1 --bind tcp://127.0.0.1:5600
  python run_stream.py --source demo --set tracker.max_faces=1 --print-config

Estimates are published as JSON over ZeroMQ: docs/wire-protocol.md. They measure apparent expression, not felt emotion.
"""

DEFAULT_METRICS = "127.0.0.1:9464"


def add_run(verbs: Verbs) -> None:
    """The verb `run`."""
    _add(verbs, "run", "estimate affect from sources and publish it")


def add_record(verbs: Verbs) -> None:
    """The verb `record`."""
    _add(verbs, "record", "the same as run, with a recording that must be named")


def _add(verbs: Verbs, name: str, summary: str) -> None:
    """Flags stand in `--help` in the order in which they are added."""
    parser = add_verb(
        verbs,
        name,
        summary=summary,
        description=summary.capitalize() + ".",
        epilog=SOURCES + "\n" + RUN_EXAMPLES,
    )
    parser.add_argument("--source", action="append", metavar="SOURCE", help="what to look at (see below); repeatable")
    _add_model(parser)
    _add_words(parser)
    parser.add_argument("--bind", metavar="ADDRESS", help="address of the feed; default tcp://127.0.0.1:5556")
    add_insecure_bind(parser)
    _add_outlets(parser)
    _add_guidance(parser)
    add_page(parser)
    add_display(parser)
    _add_recording(parser, is_required=name == "record")
    _add_reading(parser)
    _add_settings(parser)
    finish(parser, _run)


def _add_model(parser: argparse.ArgumentParser) -> None:
    add_bundle(parser)
    parser.add_argument(
        "--engine",
        choices=("auto", "tensorrt", "tensorrt_rtx", "openvino", "onnxruntime"),
        help="what runs the model; auto takes the fastest that is verified here (default)",
    )
    parser.add_argument(
        "--lens",
        action="extend",
        type=lambda text: text.split(","),
        metavar="NAME[=DIR],…|all",
        help="further outputs, such as units; `streamaffect lenses` lists them; repeatable",
    )
    parser.add_argument(
        "--prompts",
        metavar="TEXT|FILE",
        help='sentences to look for in faces, "she is beaming; about to cry", or a file of them, which is read again '
        "when it changes; streamaffect prompts --help",
    )


def _add_words(parser: argparse.ArgumentParser) -> None:
    words = parser.add_argument_group("what is seen and heard in words (docs/quickstart.md#in-words)")
    words.add_argument(
        "--describe", action="store_true", default=None, help="once a second a sentence about each face, with its units"
    )
    words.add_argument(
        "--transcript",
        action="append",
        metavar="[NAME=]FILE",
        help="what is said in a file, .vtt or .srt, for --describe; repeatable",
    )
    words.add_argument(
        "--llm",
        metavar="DIR",
        help="a bundle with a text classifier, which reads what --describe sees; on this machine",
    )


def _add_outlets(parser: argparse.ArgumentParser) -> None:
    outlets = parser.add_argument_group("outlets beside the feed (docs/outlets.md)")
    outlets.add_argument(
        "--lsl", action="store_true", default=None, help="offer values and markers to Lab Streaming Layer"
    )
    outlets.add_argument("--osc", metavar="HOST:PORT", help="send Open Sound Control there, e.g. 127.0.0.1:9000")
    outlets.add_argument(
        "--mqtt", metavar="URL", help="publish to a broker, mqtt://HOST or mqtts://HOST, for Home Assistant too"
    )
    outlets.add_argument(
        "--metrics",
        nargs="?",
        const=DEFAULT_METRICS,
        metavar="HOST:PORT",
        help=f"serve /metrics for Prometheus, /livez and /readyz; without an address at {DEFAULT_METRICS}",
    )


def _add_guidance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--control",
        metavar="ADDRESS",
        help="where commands are taken (streamaffect ctl): auto (a socket of this user; default), off, or an address",
    )
    parser.add_argument(
        "--markers",
        action="append",
        metavar="FROM",
        help="take markers from lsl:NAME (Lab Streaming Layer) or tcp:PORT (lines, on this machine); repeatable",
    )
    parser.add_argument(
        "--baseline",
        type=float,
        metavar="SECONDS",
        help="take each face's neutral over so many seconds, and give its values relative to that too",
    )
    parser.add_argument(
        "--profile", metavar="FILE", help="keep the baseline of one person here, and take it from here the next time"
    )


def _add_recording(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    parser.add_argument(
        "--record",
        metavar="PATH",
        required=is_required,
        help="write every estimate to this file (JSON Lines); of %%Y%%m%%d-%%H%%M%%S in its name the time is made",
    )
    parser.add_argument("--overwrite", action="store_true", default=None, help="replace a recording that exists")
    parser.add_argument(
        "--record-crops",
        metavar="FILE",
        help="write pictures of a face that is alone to this new file, for `streamaffect personalise` (PRIVACY.md)",
    )
    parser.add_argument(
        "--keep-days",
        type=float,
        metavar="N",
        help="remove recordings beside that of --record which were last written to N days ago (default: keep all)",
    )


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--require-all",
        action="store_true",
        default=None,
        help="begin only if every source works",
    )
    parser.add_argument("--realtime", action="store_true", default=None, help="play files by their clock, as if live")
    parser.add_argument(
        "--sound",
        metavar="WHAT",
        help="what is heard beside the pictures: off (default), auto (the sound of files and network cameras), "
        "mic or mic:NAME (a microphone of this machine)",
    )
    parser.add_argument(
        "--sound-of",
        metavar="[NAME=]WHO,…",
        help="whose voice it is: only (the face that is in view alone; default), largest, nobody, or a face's number; "
        "for single streams NAME=WHO",
    )
    parser.add_argument("--max-seconds", type=float, metavar="X", help="end after X seconds (of a file: of its time)")
    parser.add_argument(
        "--analysis-fps",
        type=float,
        metavar="X",
        help="analyse at most X frames a second of each stream (default: all)",
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings as TOML; flags come after it; read again at SIGHUP"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="one setting; repeatable"
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print all settings as TOML, without credentials, and end"
    )


def _run(options: argparse.Namespace) -> int:
    with loading():
        from streamaffect.config import load_config, to_printed_toml

    if options.record is not None and not options.record.strip():  # an empty variable of a shell
        raise ConfigError("--record: names no file; a recording is a file, e.g. session.jsonl")
    if options.prompts is not None and not options.prompts.strip():
        raise ConfigError(
            '--prompts: is empty; expected prompts or a file of them, e.g. "she is beaming; about to cry"'
        )
    if options.lens is not None and not any(word.strip() for word in options.lens):
        raise ConfigError("--lens: is empty; expected names, e.g. units,map, or all; `streamaffect lenses` lists them")
    config = load_config(options.config, options.set, flags=given_settings(options))
    if options.print_config:
        print(to_printed_toml(config))
        return 0
    with loading():
        from streamaffect.verbs.run import run

    reread = partial(load_config, options.config, options.set, flags=given_settings(options))
    return run(config, display=options.display, reread=None if options.config is None else reread)
