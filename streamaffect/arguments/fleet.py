"""The verb `fleet`: many cameras in many processes."""

import argparse
from functools import partial
from pathlib import Path

from streamaffect.arguments.flags import given_settings
from streamaffect.arguments.loading import loading
from streamaffect.arguments.verb import Verbs, add_display, add_insecure_bind, add_page_address, add_verb, finish

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


def add_fleet(verbs: Verbs) -> None:
    """The verb `fleet`."""
    parser = add_verb(
        verbs,
        "fleet",
        summary="many cameras in many processes, on one machine or many, as one feed",
        description="Run groups of cameras, each in a supervised process of its own, here or on the machines of a Ray "
        "cluster, and publish what all of them find at one address. A process that dies is started again.",
        epilog=FLEET_EXAMPLES,
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="groups and settings as TOML")
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="of a Ray cluster that runs; default: one is made here, and ends with this",
    )
    parser.add_argument("--bind", metavar="ADDRESS", help="address of the joint feed; default tcp://127.0.0.1:5560")
    add_insecure_bind(parser)
    parser.add_argument(
        "--control", metavar="ADDRESS", help="where commands are taken (streamaffect ctl): auto, off, or an address"
    )
    add_page_address(parser)
    add_display(parser)
    finish(parser, _fleet)


def _fleet(options: argparse.Namespace) -> int:
    with loading():
        from streamaffect.fleet.cluster import require_ray
        from streamaffect.fleet.config import load_fleet

    flags = given_settings(options)
    if options.address is not None:
        flags["cluster"] = {"address": options.address}
    reread = partial(load_fleet, options.config, flags=flags)
    config = reread()
    require_ray()
    with loading():
        from streamaffect.fleet.run import fleet

    return fleet(config, display=options.display, reread=reread)
