"""Throughput: frames per second of a file read offline, against its parts alone.

How many live streams fit: `benchmarks/live/streams.py`.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --video interview.mp4
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse

import cv2

from benchmarks.measures.report import Row, show, write
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.verbs.bench import offline_cost


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, default=DEMO_CLIP, help="file for the offline part (default: the demo)")
    parser.add_argument("--engine", default="onnxruntime", help="backend (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="the fastest of so many counts (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/throughput.json)")
    options = parser.parse_args()
    cv2.setNumThreads(1)  # as in the command line's processes
    bundle = load_bundle()
    engine = open_engine(bundle, options.engine)
    cost = offline_cost(options.video, bundle, engine, repeats=options.repeats)
    rows: list[Row] = [
        {"what": "offline, end to end: frames per second", "value": round(cost.frames_per_second, 1)},
        {"what": "offline, end to end: ms a frame", "value": round(cost.whole_ms, 2)},
        {"what": "decode alone: ms a frame", "value": round(cost.decode_ms, 2)},
        {"what": "detector alone: ms a frame", "value": round(cost.detector_ms, 2)},
        {"what": "engine alone: ms a frame", "value": round(cost.engine_ms, 2)},
        {"what": "end to end / sum of the parts alone", "value": round(cost.overhead, 2)},
    ]
    show("throughput", rows)
    print(write("throughput", rows, options.out))


if __name__ == "__main__":
    main()
