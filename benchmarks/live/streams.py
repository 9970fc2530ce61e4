"""How many live cameras a machine carries: the demo clip, 640x360 H.264 at 25 frames a second, many times over.

The run is a process of its own, as a user starts it, and this one subscribes. The number of streams is doubled until
more than one frame in a hundred is skipped that was to be analysed, and then narrowed down; once with all frames
analysed, and once with half of them (`--analysis-fps 12.5`).

    python benchmarks/live/streams.py
    python benchmarks/live/streams.py --source rtsp://127.0.0.1:8554/a --fps 0 --most 64
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
from collections.abc import Callable

from rich.console import Console

from benchmarks.live.live_run import Seen, watch
from benchmarks.measures.report import PACKAGES, Row, show, write

MOST_SKIPPED = 0.01
WARM_UP_S = 8.0  # while many streams open, all are analysed more seldom, and for some seconds more


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="demo", help="what each stream reads (default: %(default)s)")
    parser.add_argument("--fps", type=float, action="append", help="analysed at most; 0: all (default: 0 and 12.5)")
    parser.add_argument("--most", type=int, default=64, help="streams to try at most (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to measure each (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/streams.json)")
    options = parser.parse_args()
    rows: list[Row] = []
    with Console(stderr=True).status("starting") as status:
        for fps in options.fps or [0.0, 12.5]:
            found: dict[int, Row] = {}

            def carries(count: int, fps: float = fps, found: dict[int, Row] = found) -> bool:
                status.update(f"{count} streams, {f'{fps:g} frames a second' if fps else 'all frames'} analysed")
                words = ["--analysis-fps", f"{fps:g}"] if fps else []
                seen = watch(
                    [f"s{i}={options.source}" for i in range(count)], options.seconds, *words, warm_up_s=WARM_UP_S
                )
                found[count] = _row(count, fps, seen)
                return seen.skipped_share <= MOST_SKIPPED

            carried = most_carried(carries, options.most)
            rows += [{**found[count], "carried": "yes" if count <= carried else "no"} for count in sorted(found)]
    show("live streams", rows)
    print(write("streams", rows, options.out, packages=(*PACKAGES, "av")))


def most_carried(carries: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that is carried: doubled until one is not, then halved; 0: not even one."""
    good, bad = 0, most + 1
    while good < most and bad > good + 1:
        count = min(max(1, 2 * good), most) if bad > most else (good + bad) // 2
        if carries(count):
            good = count
        else:
            bad = count
    return good


def _row(count: int, fps: float, seen: Seen) -> Row:
    p50, p95, p99 = seen.spread_ms
    return {
        "streams": count,
        "analysed": f"{fps:g} a second" if fps else "all",
        "estimates a second": round(len(seen.latencies_ms) / seen.seconds, 1),
        "skipped %": round(100 * seen.skipped_share, 2),
        "p50 ms": round(p50, 1),
        "p95 ms": round(p95, 1),
        "p99 ms": round(p99, 1),
        "processors": round(seen.cpu_s / seen.seconds, 2),
        "memory MB": round(seen.memory_mb),
    }


if __name__ == "__main__":
    main()
