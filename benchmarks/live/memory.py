"""Memory of a run: what the first stream costs, and each further one. The demo clip, as often as there are streams.

Resident memory after some seconds, of a process of its own for each number of streams; each further stream is the slope
of a straight line through all of them.

    python benchmarks/live/memory.py
    python benchmarks/live/memory.py --source clip=interview.mp4 --streams 1 4
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse

import numpy as np

from benchmarks.live.live_run import watch
from benchmarks.measures.report import PACKAGES, Row, show, write


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="demo", help="what each stream reads (default: %(default)s)")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 2, 4, 8], help="how many (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=8.0, help="when to look, after 3 s (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/memory.json)")
    options = parser.parse_args()
    counts: list[int] = sorted(set(options.streams))
    sizes = [watch([f"s{i}={options.source}" for i in range(n)], options.seconds).memory_mb for n in counts]
    rows: list[Row] = [{"streams": n, "memory MB": round(size, 1)} for n, size in zip(counts, sizes, strict=True)]
    if len(counts) > 1:
        further = float(np.polyfit(counts, sizes, 1)[0])
        rows.append({"streams": "each further", "memory MB": round(further, 1)})
    show("memory", rows)
    print(write("memory", rows, options.out, packages=(*PACKAGES, "av")))


if __name__ == "__main__":
    main()
