"""The command line. Only what parses is imported here, so that `--help` answers at once.

What is written to standard output and error passes an outlet: it shows no credentials and makes nobody wait.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeAlias

from streamaffect.errors import ConfigError, StreamAffectError
from streamaffect.outlet import LAST_WORDS_S, STDERR, STDOUT, finish_stdout, open_descriptors, outlets
from streamaffect.redaction import clean
from streamaffect.version import SOFTWARE

EXIT_OK, EXIT_FAILED, EXIT_USER = 0, 1, 2

SOURCES = """\
sources:
  webcam, webcam:1       a camera by its number
  clip.mp4               a video file, as fast as it goes and without loss; with --realtime by its clock
  rtsp://user:pw@host/1  a network camera; also rtsps://, http:// and https://
  demo                   the shipped clip of a face, looped
  synthetic              moving faces for tests, e.g. synthetic:faces=3,fps=30,size=1280x720
  replay:run.jsonl       a recording, published again at its own pace
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

# Flag → section and key of the setting that it changes.
FLAG_SETTINGS = {
    "source": ("run", "sources"),
    "bundle": ("run", "bundle"),
    "realtime": ("run", "realtime"),
    "max_seconds": ("run", "max_seconds"),
    "record": ("run", "record"),
    "overwrite": ("run", "overwrite"),
    "require_all": ("run", "require_all"),
    "engine": ("engine", "backend"),
    "bind": ("feed", "bind"),
    "insecure_bind": ("feed", "insecure_bind"),
}

Verb = Callable[[argparse.Namespace], int]

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; returns the exit code: 0 done, 1 failed, 2 what no restart cures; both said in one line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, "run")
    open_descriptors()
    prints_lines = words[0] == "listen" and "--json" in words  # as many as there are, for a pipe that sets the pace
    runs_for_long = words[0] in ("run", "record", "replay", "listen") and not prints_lines
    runs_for_long &= "--print-config" not in words
    with outlets(*([STDERR] if prints_lines else [STDOUT, STDERR]), nobody_waits=runs_for_long):
        code, complaint = EXIT_OK, None
        try:
            code = _do(words)
        finally:
            complaint = finish_stdout(LAST_WORDS_S if runs_for_long else None)
        if complaint is None or runs_for_long:
            return code
        _say(f"standard output cannot be written ({complaint})")
        return code or EXIT_FAILED


def _do(words: Sequence[str]) -> int:
    """Do what the words say; whatever goes wrong ends in one line and an exit code."""
    try:
        options = _parser().parse_args(words)
        _set_up_logging(getattr(options, "log_level", "warning"))
        verb: Verb = options.verb
        return verb(options)
    except StreamAffectError as error:
        _say(str(error))
        return EXIT_FAILED if error.transient else EXIT_USER
    except (KeyboardInterrupt, BrokenPipeError):
        return EXIT_OK
    except OSError as error:  # what the system refuses may be granted at the next start
        _say(str(error))
        return EXIT_FAILED
    except Exception as error:
        if _was_interrupted(error):
            return EXIT_OK
        log.debug("where it happened", exc_info=error)
        _say(f"{type(error).__name__}: {error}; this is a fault of the program, --log-level debug shows where")
        return EXIT_FAILED


def _was_interrupted(error: BaseException | None) -> bool:
    """True where Ctrl-C is behind an error: native libraries that are being imported make others of it."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _say(text: str) -> None:
    """The one line to standard error."""
    print(f"streamaffect: {clean(' '.join(text.splitlines()))}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """A parser that repeats no credentials when it complains of a word."""

    def error(self, message: str) -> NoReturn:
        super().error(clean(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="streamaffect",
        description="Live video of faces to a continuous stream of valence and arousal, with uncertainty.",
        epilog="`streamaffect VERB --help` explains each verb; without a verb, `run` is meant.\n\n" + SOURCES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=SOFTWARE)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_run(verbs, "run", "estimate affect from sources and publish it")
    _add_run(verbs, "record", "the same as run, with a recording that must be named")
    _add_listen(verbs)
    _add_replay(verbs)
    _add_export(verbs)
    _add_doctor(verbs)
    _add_keys(verbs)
    _add_bench(verbs)
    return parser


Verbs: TypeAlias = "argparse._SubParsersAction[_Parser]"


def _add_run(verbs: Verbs, name: str, summary: str) -> None:
    parser = verbs.add_parser(
        name,
        help=summary,
        description=summary.capitalize() + ".",
        epilog=SOURCES + "\n" + RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", action="append", metavar="SOURCE", help="what to look at (see below); repeatable")
    parser.add_argument("--bundle", metavar="DIR", help="the model; default: the one that is shipped")
    parser.add_argument(
        "--engine",
        choices=("auto", "tensorrt", "tensorrt_rtx", "openvino", "onnxruntime"),
        help="what runs the model; auto takes the fastest that is verified here (default)",
    )
    parser.add_argument("--bind", metavar="ADDRESS", help="address of the feed; default tcp://127.0.0.1:5556")
    parser.add_argument(
        "--insecure-bind", action="store_true", default=None, help="let other machines read the feed unencrypted"
    )
    parser.add_argument(
        "--display",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="live view in the terminal (default: on a terminal)",
    )
    parser.add_argument(
        "--record", metavar="PATH", required=name == "record", help="write every estimate to this file (JSON Lines)"
    )
    parser.add_argument("--overwrite", action="store_true", default=None, help="replace a recording that exists")
    parser.add_argument(
        "--require-all",
        action="store_true",
        default=None,
        help="begin only if every source works",
    )
    parser.add_argument("--realtime", action="store_true", default=None, help="play files by their clock, as if live")
    parser.add_argument("--max-seconds", type=float, metavar="X", help="end after X seconds (of a file: of its time)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML; flags come after it")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="one setting; repeatable"
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print all settings as TOML, without credentials, and end"
    )
    _finish(parser, _run)


def _add_listen(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "listen",
        help="show a feed, or print it as JSON lines",
        description="Subscribe to a feed and show it live, or print one JSON line per message for pipes.",
    )
    parser.add_argument("address", nargs="?", default="tcp://127.0.0.1:5556", help="default: %(default)s")
    parser.add_argument("--stream", metavar="NAME", help="only this stream")
    parser.add_argument("--json", action="store_true", help="one line per message on standard output")
    parser.add_argument("--keys", type=Path, metavar="DIR", help="key folder of a client, for an encrypted feed")
    parser.add_argument("--max-seconds", type=float, metavar="X", help="end after X seconds")
    _finish(parser, _listen)


def _add_replay(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "replay",
        help="publish a recording again, at its own pace",
        description="Publish a recording again with its original clock. The same as run --source replay:RECORDING.",
    )
    parser.add_argument("recording", type=Path, metavar="RECORDING")
    parser.add_argument("--bind", metavar="ADDRESS", help="address of the feed; default tcp://127.0.0.1:5556")
    parser.add_argument("--display", action=argparse.BooleanOptionalAction, default=None, help="live view")
    _finish(parser, _replay)


def _add_export(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "export",
        help="convert a recording to CSV, Parquet, EmotionML, XDF, ELAN or BORIS",
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
    _finish(parser, _export)


def _add_doctor(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "doctor",
        help="what works on this machine, and why not",
        description="Check everything that a run needs, from the libraries to a camera, and say what to do.",
    )
    parser.add_argument("--json", action="store_true", help="the findings as JSON")
    _finish(parser, _doctor)


def _add_keys(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "keys",
        help="make the keys of an encrypted feed",
        description="Write CURVE key pairs for a feed and a client, for feeds that other machines may read.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--client", default="client", metavar="NAME", help="name of the client (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace this client's keys; the old ones end")
    _finish(parser, _keys)


def _add_bench(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "bench",
        help="how fast this machine is",
        description="Measure the pipeline on this machine: a file as fast as it goes, and how many live streams fit.",
    )
    parser.add_argument("--video", type=Path, metavar="FILE", help="a video file; default: the demo clip")
    parser.add_argument("--bundle", metavar="DIR", help="the model; default: the one that is shipped")
    parser.add_argument("--engine", default="auto", metavar="NAME", help="default: %(default)s")
    parser.add_argument(
        "--max-streams", type=int, default=16, metavar="N", help="0 skips this part; default: %(default)s"
    )
    _finish(parser, _bench)


def _finish(parser: argparse.ArgumentParser, verb: Verb) -> None:
    levels = ("debug", "info", "warning", "error")
    parser.add_argument("--log-level", choices=levels, default="warning", help="default: %(default)s")
    parser.set_defaults(verb=verb)


def _run(options: argparse.Namespace) -> int:
    with _loading():
        from streamaffect.config import load_config, to_printed_toml

    if options.record is not None and not options.record.strip():  # an empty variable of a shell
        raise ConfigError("--record: names no file; a recording is a file, e.g. session.jsonl")
    config = load_config(options.config, options.set, flags=_flags(options))
    if options.print_config:
        print(to_printed_toml(config))
        return EXIT_OK
    with _loading():
        from streamaffect.verbs.run import run

    return run(config, display=options.display)


def _replay(options: argparse.Namespace) -> int:
    with _loading():
        from streamaffect.config import load_config
        from streamaffect.verbs.run import run

    options.source = [f"replay:{options.recording}"]
    return run(load_config(flags=_flags(options)), display=options.display)


@contextmanager
def _loading() -> Iterator[None]:
    """Ctrl-C ends the process at once while a run's modules are loaded: nothing is open yet.

    A KeyboardInterrupt could be raised inside a callback of the import system, which drops it: the run would go on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)


def _flags(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """The settings that were given as flags, by section."""
    flags: dict[str, dict[str, object]] = {}
    for flag, (section, key) in FLAG_SETTINGS.items():
        value = getattr(options, flag, None)
        if value is not None:
            flags.setdefault(section, {})[key] = value
    return flags


def _listen(options: argparse.Namespace) -> int:
    from streamaffect.verbs.listen import listen

    return listen(
        options.address,
        stream=options.stream,
        as_json=options.json,
        keys=options.keys,
        max_seconds=options.max_seconds,
    )


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
    )


def _doctor(options: argparse.Namespace) -> int:
    from streamaffect.verbs.doctor import doctor

    return doctor(as_json=options.json)


def _keys(options: argparse.Namespace) -> int:
    from streamaffect.verbs.keys import keys

    return keys(options.folder, client=options.client, overwrite=options.overwrite)


def _bench(options: argparse.Namespace) -> int:
    from streamaffect.verbs.bench import bench

    return bench(bundle=options.bundle, engine=options.engine, video=options.video, max_streams=options.max_streams)


def _set_up_logging(level: str) -> None:
    logging.basicConfig(level=level.upper(), force=True)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_CleanFormatter("%(levelname)s %(name)s: %(message)s"))


class _CleanFormatter(logging.Formatter):
    """Without credentials, also in traces, whichever library has logged them."""

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record))
