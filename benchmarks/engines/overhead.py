"""What an Engine of ours adds to the backend's own call: processor time of the frame encoder at batch 1, in turns.

python benchmarks/engines/overhead.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import statistics
from collections.abc import Callable

import numpy as np

from benchmarks.measures.report import Row, show, write
from engines.bench import time_in_turns
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.runtime.openvino import OpenVinoEngine
from streamaffect.types import ImageArray

Call = Callable[[], object]


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="default: the shipped one")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each backend (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/engine_overhead.json)")
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    size = bundle.manifest.crop.size
    crops = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    rows: list[Row] = []
    for backend, (ours, bare) in calls_of(bundle, crops).items():
        times = time_in_turns({"ours": ours, "bare": bare}, seconds=options.seconds)
        with_ms, without_ms = (statistics.median(sample.cpu_ms for sample in times[name]) for name in ("ours", "bare"))
        added = round(100 * (with_ms / without_ms - 1), 2)
        rows.append(
            {"backend": backend, "engine ms": round(with_ms, 4), "own call ms": round(without_ms, 4), "added %": added}
        )
    show("engine_overhead", rows)
    print(write("engine_overhead", rows, options.out))


def calls_of(bundle: Bundle, crops: ImageArray) -> dict[str, tuple[Call, Call]]:
    """By backend: the call through our engine, and the call of the very same loaded graph without it."""
    onnx_engine, vino_engine = OnnxRuntimeEngine(bundle), OpenVinoEngine(bundle)
    session, request = onnx_engine._frame_encoder, vino_engine._frame_encoder._request
    return {
        "onnxruntime": (lambda: onnx_engine.encode_frames(crops), lambda: session.run(["features"], {"crops": crops})),
        "openvino": (lambda: vino_engine.encode_frames(crops), lambda: request.infer({0: crops}, share_inputs=True)),
    }


if __name__ == "__main__":
    main()
