"""All that may be typed. Only what parses is imported here, so that `--help` answers at once."""

import argparse

from streamaffect.arguments.ctl import add_ctl
from streamaffect.arguments.feeds import add_keys, add_listen, add_proxy
from streamaffect.arguments.fleet import add_fleet
from streamaffect.arguments.machine import add_bench, add_doctor
from streamaffect.arguments.model import add_explain, add_lenses, add_personalise, add_prompts
from streamaffect.arguments.recordings import add_export, add_replay, add_view
from streamaffect.arguments.run import SOURCES, add_record, add_run
from streamaffect.arguments.verb import Parser
from streamaffect.version import SOFTWARE

# In the order of `--help`.
VERBS = (
    add_run,
    add_record,
    add_listen,
    add_replay,
    add_export,
    add_doctor,
    add_keys,
    add_lenses,
    add_personalise,
    add_prompts,
    add_explain,
    add_bench,
    add_ctl,
    add_proxy,
    add_fleet,
    add_view,
)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all verbs. What it returns has in `call` what does the verb; `run` and `record` are one."""
    parser = Parser(
        prog="streamaffect",
        description="Live video of faces to a continuous stream of valence and arousal, with uncertainty.",
        epilog="`streamaffect VERB --help` explains each verb; without a verb, `run` is meant.\n\n" + SOURCES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=SOFTWARE)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for add in VERBS:
        add(verbs)
    return parser
