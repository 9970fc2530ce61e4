"""What may be typed: the verbs, their flags and what `--help` says of them. Only what parses is imported here."""

import argparse
from pathlib import Path
from typing import NoReturn, TypeAlias

from streamaffect.redaction import clean
from streamaffect.version import SOFTWARE

DEFAULT_METRICS = "127.0.0.1:9464"
DEFAULT_PAGE = "127.0.0.1:8765"

SOURCES = """\
sources:
  webcam, webcam:1       a camera by its number
  clip.mp4               a video file, as fast as it goes and without loss; with --realtime by its clock;
                         clip.mkv#video=1 and clip.mkv#audio=1 choose among several tracks
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


CTL_EXAMPLES = """\
examples:
  streamaffect ctl mark "stimulus 1"
  streamaffect ctl add door=rtsp://10.0.0.7/live
  streamaffect ctl remove door
  streamaffect ctl baseline start --seconds 5
  streamaffect ctl voice webcam 3
  streamaffect ctl prompts "she is beaming; about to cry"
  streamaffect ctl status --address tcp://127.0.0.1:5600

Every command is an event in the feed and in the recording. Python: streamaffect.Controller; others: docs/control.md.
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


PROXY_EXAMPLES = """\
examples:
  streamaffect proxy tcp://127.0.0.1:5556 tcp://127.0.0.1:5557
  streamaffect proxy tcp://10.0.0.7:5556 tcp://10.0.0.8:5556 --keys tcp://10.0.0.7:5556=keys/a --keys keys/b
  streamaffect listen tcp://127.0.0.1:5560
"""


PERSONALISE_EXAMPLES = """\
examples:
  python run_stream.py --source webcam --record-crops me.crops     # a minute or more, alone, in varied moods
  streamaffect personalise me.crops --out me
  python run_stream.py --source webcam --lens me=me
  streamaffect personalise --delete me.crops me

The recording holds pictures of a face: ask first, and delete it when that person wants it. PRIVACY.md says more.
"""


FLEET_EXAMPLES = """\
a file for two groups of cameras, each of which gets a process of its own:
  [groups.entrance]
  sources = ["door=rtsp://10.0.0.7/live", "hall=rtsp://10.0.0.8/live"]

  [groups.lab]
  sources = ["desk=webcam"]
  cpus = 0.5                      # what Ray counts for it; labels = {room = "lab"} chooses machines
  settings.faces.tiles = 2        # any section of a run's settings, for this group; [settings] is for all

examples:
  streamaffect fleet --config fleet.toml                     on this machine alone; the cluster ends with the command
  streamaffect fleet --config fleet.toml --address 10.0.0.2:6379
  streamaffect listen tcp://127.0.0.1:5560
  streamaffect ctl status --address tcp://127.0.0.1:5560
  streamaffect ctl restart --address tcp://127.0.0.1:5560    one group after the other

The file is read again at SIGHUP. Groups, keys and how machines join a cluster: docs/fleet.md. Needs streamaffect[ray].
"""


VIEW_EXAMPLES = """\
examples:
  streamaffect view interview.jsonl --video interview.mp4
  streamaffect view session.jsonl --web 127.0.0.1:9000 --open
"""


class _Parser(argparse.ArgumentParser):
    """A parser that repeats no credentials when it complains of a word."""

    def error(self, message: str) -> NoReturn:
        super().error(clean(message))


def make_parser() -> argparse.ArgumentParser:
    """The parser of all verbs. What it returns names its verb in `verb`; `run` and `record` are one."""
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
    _add_lenses(verbs)
    _add_personalise(verbs)
    _add_prompts(verbs)
    _add_explain(verbs)
    _add_bench(verbs)
    _add_ctl(verbs)
    _add_proxy(verbs)
    _add_fleet(verbs)
    _add_view(verbs)
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
    _add_words(parser)
    parser.add_argument("--bind", metavar="ADDRESS", help="address of the feed; default tcp://127.0.0.1:5556")
    parser.add_argument(
        "--insecure-bind", action="store_true", default=None, help="let other machines read the feed unencrypted"
    )
    _add_outlets(parser)
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
    _add_page(parser)
    parser.add_argument(
        "--display",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="live view in the terminal (default: on a terminal)",
    )
    parser.add_argument(
        "--record",
        metavar="PATH",
        required=name == "record",
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
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings as TOML; flags come after it; read again at SIGHUP"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="one setting; repeatable"
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print all settings as TOML, without credentials, and end"
    )
    _finish(parser, "run")


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


def _add_page(parser: argparse.ArgumentParser) -> None:
    _add_page_address(parser)
    parser.add_argument(
        "--web-video",
        nargs="?",
        const="plain",
        choices=("plain", "blurred"),
        help="show the picture there too, or the picture with blurred faces; otherwise numbers alone",
    )


def _add_page_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--web",
        nargs="?",
        const=DEFAULT_PAGE,
        metavar="HOST:PORT",
        help=f"show the stream in a browser, at {DEFAULT_PAGE} unless told otherwise",
    )
    parser.add_argument(
        "--web-token",
        metavar="FILE",
        help="file with the token that a browser must know, made where it does not exist; other machines need one",
    )


def _add_view(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "view",
        help="look at a recording in a browser",
        description="Open a recording in the page: its course, markers and gaps; zoom, leave stretches out, export.",
        epilog=VIEW_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recording", type=Path, metavar="RECORDING")
    parser.add_argument("--video", type=Path, metavar="FILE", help="the video that was recorded, to be seen beside it")
    parser.add_argument(
        "--video-offset", type=float, default=0.0, metavar="S", help="second of the recording at which the video begins"
    )
    parser.add_argument("--web", default=DEFAULT_PAGE, metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument("--web-token", metavar="FILE", help="file with the token that a browser must know")
    parser.add_argument("--open", action="store_true", help="open this machine's browser")
    _finish(parser, "view")


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
    _finish(parser, "listen")


def _add_replay(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "replay",
        help="publish a recording again, at its own pace",
        description="Publish a recording again with its original clock. The same as run --source replay:RECORDING.",
    )
    parser.add_argument("recording", type=Path, metavar="RECORDING")
    parser.add_argument("--bind", metavar="ADDRESS", help="address of the feed; default tcp://127.0.0.1:5556")
    parser.add_argument("--display", action=argparse.BooleanOptionalAction, default=None, help="live view")
    _add_page(parser)
    _finish(parser, "replay")


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
    parser.add_argument(
        "--voice",
        action="store_true",
        help="instead of estimates what was heard, a row twice a second, whosever voice it was; .csv, .parquet",
    )
    _finish(parser, "export")


def _add_doctor(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "doctor",
        help="what works on this machine, and why not",
        description="Check everything that a run needs, from the libraries to a camera, and say what to do.",
    )
    parser.add_argument("--json", action="store_true", help="the findings as JSON")
    _finish(parser, "doctor")


def _add_keys(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "keys",
        help="make the keys of an encrypted feed",
        description="Write CURVE key pairs for a feed and a client, for feeds that other machines may read.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--client", default="client", metavar="NAME", help="name of the client (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace this client's keys; the old ones end")
    _finish(parser, "keys")


def _add_lenses(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "lenses",
        help="which further outputs there are, what they cost and what they can't do",
        description="List the lenses that `run --lens NAME` can switch on, with size, cost and figures on unseen data.",
    )
    parser.add_argument("--bundle", metavar="DIR", help="the model; default: the one that is shipped")
    parser.add_argument("--json", action="store_true", help="the list as JSON")
    _finish(parser, "lenses")


def _add_personalise(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "personalise",
        help="fit valence and arousal to one person, from crops that a run has recorded",
        description="Learn a lens for one person from a recording of face crops, without labels, or delete both.",
        epilog=PERSONALISE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recording", type=Path, nargs="?", metavar="RECORDING", help="made by run --record-crops")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the lens")
    parser.add_argument("--bundle", metavar="DIR", help="the model; default: the one that is shipped")
    parser.add_argument(
        "--delete", type=Path, nargs="+", default=[], metavar="PATH", help="recordings of crops, and personal lenses"
    )
    _finish(parser, "personalise")


def _add_prompts(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "prompts",
        help="what sentences mean to the stream, before a run looks for them",
        description="Show what prompts mean, or compile them, so that a run needs no sentence encoder.",
        epilog=PROMPTS_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    show = commands.add_parser("show", help="what each prompt means, and whether it is understood")
    compiled = commands.add_parser("compile", help="write what the prompts mean to a file, for run --prompts FILE")
    for command in (show, compiled):
        command.add_argument("prompts", metavar="TEXT|FILE", help='"she is beaming; about to cry", or a TOML file')
        command.add_argument("--bundle", metavar="DIR", help="the model; default: the one that is shipped")
    show.add_argument("--json", action="store_true", help="as JSON")
    compiled.add_argument("--out", type=Path, required=True, metavar="FILE", help="the compiled prompts, FILE.json")
    compiled.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    for command in (show, compiled):
        _finish(command, "prompts")


def _add_explain(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "explain",
        help="why the faces of a picture are called what they are called",
        description="Say of each face of a picture which parts of it the answer hangs on, and draw that over it.",
        epilog=EXPLAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    parser.add_argument("--bundle", metavar="DIR", help="the model; default: the one that is shipped")
    parser.add_argument("--engine", default="auto", metavar="NAME", help="default: %(default)s")
    _finish(parser, "explain")


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
    _finish(parser, "bench")


def _add_ctl(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "ctl",
        help="tell a run what to do: markers, baseline, streams, stop",
        description="Give a command to a run, and print what it answers.",
        epilog=CTL_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    mark = commands.add_parser("mark", help="mark this moment, in feed and recording")
    mark.add_argument("label", metavar="LABEL")
    mark.add_argument("--stream", metavar="NAME", help="only in this stream")
    _finish_ctl(mark)
    _finish_ctl(commands.add_parser("streams", help="which streams there are"))
    add = commands.add_parser("add", help="begin a stream while the others go on")
    add.add_argument("source", metavar="NAME=SOURCE", help="as after --source")
    add.add_argument("--group", metavar="GROUP", help="of a fleet: where it goes; default: the smallest group")
    _finish_ctl(add)
    remove = commands.add_parser("remove", help="end a stream while the others go on")
    remove.add_argument("name", metavar="NAME")
    _finish_ctl(remove)
    baseline = commands.add_parser("baseline", help="take the neutral of the faces in view, or forget it")
    baseline.add_argument("what", choices=("start", "clear"))
    baseline.add_argument("--seconds", type=float, default=5.0, metavar="X", help="default: %(default)s")
    baseline.add_argument("--stream", metavar="NAME", help="only in this stream")
    _finish_ctl(baseline)
    voice = commands.add_parser("voice", help="say whose voice a stream hears")
    voice.add_argument("stream", metavar="NAME")
    voice.add_argument("track", metavar="WHO", help="a face's number, only (the face that is alone), largest, nobody")
    _finish_ctl(voice)
    prompts = commands.add_parser("prompts", help="look for other sentences, or say which are looked for")
    prompts.add_argument("prompts", metavar="TEXT|FILE", nargs="?", help="as after --prompts; none: say what there is")
    _finish_ctl(prompts)
    _finish_ctl(commands.add_parser("status", help="how the run does"))
    drain = commands.add_parser("drain", help="of a fleet: end a group in order, or empty a node")
    drain.add_argument("name", metavar="GROUP|NODE")
    _finish_ctl(drain)
    restart = commands.add_parser("restart", help="of a fleet: start a group anew, or all, one after the other")
    restart.add_argument("name", nargs="?", metavar="GROUP")
    _finish_ctl(restart)
    _finish_ctl(commands.add_parser("stop", help="end the run, in order"))


def _finish_ctl(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--address",
        default="tcp://127.0.0.1:5556",
        metavar="ADDRESS",
        help="of the run's feed, or what it was given as --control; default: %(default)s",
    )
    parser.add_argument("--keys", type=Path, metavar="DIR", help="key folder of a client, for an encrypted address")
    parser.add_argument("--json", action="store_true", help="the answer as JSON")
    _finish(parser, "ctl")


def _add_proxy(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "proxy",
        help="join several feeds into one address",
        description="Publish what several feeds send at one address, byte for byte, with the last values for those who "
        "come late. A stream's name may be used by one of them.",
        epilog=PROXY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("feeds", nargs="+", metavar="ADDRESS", help="a feed; it need not be there yet")
    parser.add_argument(
        "--bind", default="tcp://127.0.0.1:5560", metavar="ADDRESS", help="where to publish; default: %(default)s"
    )
    parser.add_argument("--insecure-bind", action="store_true", help="let other machines read it unencrypted")
    parser.add_argument("--server-key", default="", metavar="FILE", help="key of the proxy's own feed, to encrypt it")
    parser.add_argument("--allowed-clients", default="", metavar="DIR", help="public keys of those who may read it")
    parser.add_argument(
        "--keys",
        action="append",
        default=[],
        metavar="[ADDRESS=]DIR",
        help="key folder of a client, for encrypted feeds; repeatable, one for a feed",
    )
    parser.add_argument("--max-seconds", type=float, metavar="X", help="end after X seconds")
    _finish(parser, "proxy")


def _add_fleet(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "fleet",
        help="many cameras in many processes, on one machine or many, as one feed",
        description="Run groups of cameras, each in a supervised process of its own, here or on the machines of a Ray "
        "cluster, and publish what all of them find at one address. A process that dies is started again.",
        epilog=FLEET_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="groups and settings as TOML")
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="of a Ray cluster that runs; default: one is made here, and ends with this",
    )
    parser.add_argument("--bind", metavar="ADDRESS", help="address of the joint feed; default tcp://127.0.0.1:5560")
    parser.add_argument(
        "--insecure-bind", action="store_true", default=None, help="let other machines read the feed unencrypted"
    )
    parser.add_argument(
        "--control", metavar="ADDRESS", help="where commands are taken (streamaffect ctl): auto, off, or an address"
    )
    _add_page_address(parser)
    parser.add_argument(
        "--display",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="live view in the terminal (default: on a terminal)",
    )
    _finish(parser, "fleet")


def _finish(parser: argparse.ArgumentParser, verb: str) -> None:
    levels = ("debug", "info", "warning", "error")
    parser.add_argument("--log-level", choices=levels, default="warning", help="default: %(default)s")
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="json: one object a line (default: %(default)s)"
    )
    parser.set_defaults(verb=verb)
