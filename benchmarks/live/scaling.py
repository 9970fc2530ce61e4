"""Whether the cost grows with the work and no faster: 1 to 64 synthetic streams, and 1 to 32 faces in one picture.

All run at a few frames a second, so that nothing is skipped and the processor time of the whole process can be
compared with the work: a straight line is laid through it, and how far off the line each number is, stands beside it.
What counts are the faces that were found: the detector sees none that is too small.

    python benchmarks/live/scaling.py
    python benchmarks/live/scaling.py --streams 1 8 --faces 1 4
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.live.live_run import Seen, watch
from benchmarks.measures.report import Row, show, write

STREAMS, FACES = (1, 2, 4, 8, 16, 32, 64), (1, 2, 4, 8, 16, 32)
FPS = 4


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="*", default=STREAMS, help="how many (default: %(default)s)")
    parser.add_argument("--faces", type=int, nargs="*", default=FACES, help="in one picture (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long to measure each (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/scaling.json)")
    options = parser.parse_args()

    def streams(count: int) -> Seen:
        return watch([f"s{i}=synthetic:faces=1,fps={FPS},size=640x360" for i in range(count)], options.seconds)

    def faces(count: int) -> Seen:
        scene = f"synthetic:faces={count},fps={FPS},size=1280x720"
        return watch([scene], options.seconds, "--set", "tracker.max_faces=64", "--set", "faces.tiles=3")

    rows = [*_rows("streams", options.streams, streams), *_rows("faces", options.faces, faces)]
    show("growth", rows)
    print(write("scaling", rows, options.out))


def _rows(what: str, counts: Sequence[int], measure: Callable[[int], Seen]) -> list[Row]:
    seen = [measure(count) for count in counts]
    found = np.array([max(1, one.faces) for one in seen], float)
    cost_ms = np.array([one.cpu_s / one.seconds * 1e3 for one in seen])
    off = [0.0] * len(seen)
    if len(seen) > 2:
        # Each number counts by its share of itself, so that the small ones are not lost beside the large ones.
        slope, start = np.polyfit(found, cost_ms, 1, w=1 / cost_ms)
        off = (cost_ms / (start + slope * found) - 1).tolist()
    return [
        {
            "what": what,
            "count": count,
            "faces found": one.faces,
            "processor ms a second": round(float(cost), 1),
            "a face": round(float(cost) / max(1, one.faces), 2),
            "off the line %": round(100 * share, 1),
            "skipped %": round(100 * one.skipped_share, 2),
        }
        for count, one, cost, share in zip(counts, seen, cost_ms, off, strict=True)
    ]


if __name__ == "__main__":
    main()
