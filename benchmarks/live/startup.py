"""How long it takes from typing the command to the first estimate, and what of that is loading.

The first start on a machine tries the bundle's variants once; a second one finds what was learned. Each figure is the
median and the fastest of several starts. A real face is confirmed over some frames before it has an estimate: that time
is part of the figure.

    python benchmarks/live/startup.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from unittest.mock import patch

from benchmarks.live.live_run import ROOT, watch
from benchmarks.measures.report import PACKAGES, Row, show, write

IMPORTS = ("streamaffect", "cv2", "av", "onnxruntime", "mediapipe.tasks.python.vision")


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="demo", help="what is read (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="starts of each kind (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/startup.json)")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program keeps what it has compiled

    def to_first() -> float:
        return watch([options.source], 0.0).to_first_s

    rows = [
        _row("first start on a machine, to the first estimate", lambda: _as_new(to_first), 2),
        _row("second start, to the first estimate", to_first, options.repeats),
        _row("--help", lambda: _took(str(ROOT / "run_stream.py"), "--help"), options.repeats),
        _row("an interpreter alone", lambda: _took("-c", "pass"), options.repeats),
    ]
    rows += [_row(f"with import {name}", lambda name=name: _took("-c", f"import {name}"), 3) for name in IMPORTS]  # type: ignore[misc]
    show("start", rows)
    print(write("startup", rows, options.out, packages=(*PACKAGES, "av")))


def _row(what: str, measure: Callable[[], float], repeats: int) -> Row:
    times = [measure() for _ in range(repeats)]
    return {"what": what, "median s": round(statistics.median(times), 3), "fastest s": round(min(times), 3)}


def _as_new(measure: Callable[[], float]) -> float:
    """Without what earlier starts have learned of this machine."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {"STREAMAFFECT_CACHE": folder}):
        return measure()


def _took(*words: str) -> float:
    started_s = time.monotonic()
    subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, check=True)
    return time.monotonic() - started_s


if __name__ == "__main__":
    main()
