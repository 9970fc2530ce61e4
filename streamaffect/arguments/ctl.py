"""What may be said to a run that is under way: the verb `ctl`, a command of the run each."""

import argparse
from pathlib import Path

from streamaffect.arguments.verb import Verbs, add_verb, finish

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


def add_ctl(verbs: Verbs) -> None:
    """The verb `ctl`."""
    parser = add_verb(
        verbs,
        "ctl",
        summary="tell a run what to do: markers, baseline, streams, stop",
        description="Give a command to a run, and print what it answers.",
        epilog=CTL_EXAMPLES,
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


def _ctl(options: argparse.Namespace) -> int:
    from streamaffect.verbs.ctl import ctl

    return ctl(options)


def _finish_ctl(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--address",
        default="tcp://127.0.0.1:5556",
        metavar="ADDRESS",
        help="of the run's feed, or what it was given as --control; default: %(default)s",
    )
    parser.add_argument("--keys", type=Path, metavar="DIR", help="key folder of a client, for an encrypted address")
    parser.add_argument("--json", action="store_true", help="the answer as JSON")
    finish(parser, _ctl)
