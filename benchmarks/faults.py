"""What becomes of network cameras that fail: when it is seen, when they are back, what is lost. Linux alone.

The whole program reads one camera over RTSP and then one over HTTP, through a proxy that plays the faults of networks
and hosts one after the other, with default settings; a subscriber looks on. Then sources alone: many cameras at once,
and one that is opened again and again.

    python benchmarks/faults.py                               everything, ten minutes
    python benchmarks/faults.py --only frozen --only refused  these faults alone

Writes JSON; `benchmarks/render.py` puts its tables into docs/deployment.md.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
from collections.abc import Sequence

from benchmarks.measures.faults.many import waits
from benchmarks.measures.faults.matrix import FAULTS, Outcome, outcomes
from benchmarks.measures.faults.reconnects import states
from benchmarks.measures.report import Row, show, write

SCHEMES = ("rtsp", "http")
PACKAGES = ("av", "mediapipe", "onnxruntime", "pyzmq")


def main() -> int:
    """Run, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=FAULTS, help="this fault; may be given again; no other part")
    parser.add_argument("--reconnects", type=int, default=1000, help="how often to open a camera again (%(default)s)")
    parser.add_argument("--bind", default="tcp://127.0.0.1:5593", help="address of the feed (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: faults.json among the results)")
    options = parser.parse_args()
    rows = matrix(options.only or FAULTS, options.bind)
    if not options.only:
        rows += beside_each_other()
        rows += grown(options.reconnects)
    print(write("faults", rows, options.out, packages=PACKAGES))
    return 0


def matrix(faults: Sequence[str], address: str) -> list[Row]:
    """Each fault on each kind of camera."""
    rows: list[Row] = []
    for scheme in SCHEMES:
        for outcome in outcomes(scheme, faults, address):
            rows.append(_row(outcome))
            show("fault", rows[-1:])
    return rows


def _row(outcome: Outcome) -> Row:
    return {
        "camera": outcome.camera,
        "fault": outcome.fault,
        "seen after s": _rounded(outcome.seen_s),
        "back after s": _rounded(outcome.back_s),
        "estimates lost": f"{outcome.lost:.0%}",
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def beside_each_other() -> list[Row]:
    """Many cameras at once."""
    rows: list[Row] = []
    for waited in waits():
        rows.append(
            {
                "what": waited.what,
                "first s": _rounded(waited.least_s),
                "last s": _rounded(waited.most_s),
                "goal s": waited.wanted_s,
            }
        )
        show("many at once", rows[-1:])
    return rows


def grown(count: int) -> list[Row]:
    """One camera, opened again and again."""
    rows: list[Row] = [
        {
            "reconnects": number,
            "memory MB": round(state.memory_mb, 1),
            "threads": state.threads,
            "descriptors": state.descriptors,
        }
        for number, state in states(count)
    ]
    show("opened again and again", rows)
    return rows


if __name__ == "__main__":
    sys.exit(main())
