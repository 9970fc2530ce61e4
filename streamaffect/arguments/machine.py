"""The verbs that look at the machine: what works on it, and how fast."""

import argparse
from pathlib import Path

from streamaffect.arguments.verb import Verbs, add_bundle, add_engine, add_verb, finish


def add_doctor(verbs: Verbs) -> None:
    """The verb `doctor`."""
    parser = add_verb(
        verbs,
        "doctor",
        summary="what works on this machine, and why not",
        description="Check everything that a run needs, from the libraries to a camera, and say what to do.",
    )
    parser.add_argument("--json", action="store_true", help="the findings as JSON")
    finish(parser, _doctor)


def _doctor(options: argparse.Namespace) -> int:
    from streamaffect.verbs.doctor import doctor

    return doctor(as_json=options.json)


def add_bench(verbs: Verbs) -> None:
    """The verb `bench`."""
    parser = add_verb(
        verbs,
        "bench",
        summary="how fast this machine is",
        description="Measure the pipeline on this machine: a file as fast as it goes, and how many live streams fit.",
    )
    parser.add_argument("--video", type=Path, metavar="FILE", help="a video file; default: the demo clip")
    add_bundle(parser)
    add_engine(parser)
    parser.add_argument(
        "--max-streams", type=int, default=16, metavar="N", help="0 skips this part; default: %(default)s"
    )
    finish(parser, _bench)


def _bench(options: argparse.Namespace) -> int:
    from streamaffect.verbs.bench import bench
    from streamaffect.verbs.signals.ending import orderly_end

    with orderly_end():
        return bench(bundle=options.bundle, engine=options.engine, video=options.video, max_streams=options.max_streams)
