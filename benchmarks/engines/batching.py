"""Whether faces share batches with gain: what one face costs alone and among 2 to 16, with every engine that runs here.

Live streams give the engine what waits, in one batch. A face of the batch costs a share of all three graphs: processor
time of the whole process, the median of many calls. Engines and sizes take turns.

    python benchmarks/engines/batching.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.measures.report import Row, show, write
from streamaffect.errors import EngineError, StreamAffectError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import AUTO, BACKENDS, PRECISIONS, open_engine
from streamaffect.runtime.engine import Engine

SIZES = (1, 2, 4, 8, 16)
FACES = 32  # in the calls of one turn


def main() -> None:
    """Measure, show and save."""
    options = _options()
    try:
        bundle = load_bundle(options.bundle)
        with ExitStack() as stack:
            rows = measure(bundle, there(bundle, stack), options.sizes, options.turns)
    except StreamAffectError as error:
        raise SystemExit(f"batching: {error}") from None
    show(f"{bundle.manifest.label}: processor ms a face", rows)
    print(write("engine_batches", rows, options.out, packages=("numpy", "onnxruntime")))


def there(bundle: Bundle, stack: ExitStack) -> dict[str, Engine]:
    """All engines of the bundle that run on this machine, by their names; none is built."""
    engines: dict[str, Engine] = {}
    for backend in BACKENDS:
        for precision in PRECISIONS:
            if precision != AUTO:
                try:
                    engine = stack.enter_context(closing(open_engine(bundle, backend, precision=precision)))
                except EngineError:
                    continue
                engines.setdefault(str(engine.info), engine)
    return engines


def measure(bundle: Bundle, engines: dict[str, Engine], sizes: Sequence[int], turns: int) -> list[Row]:
    """One row for each engine."""
    calls = {(name, size): batch_call(bundle, engine, size) for name, engine in engines.items() for size in sizes}
    taken: dict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in track(range(turns), "measuring", console=Console(stderr=True)):
        for key, call in calls.items():
            call()  # pays for what the engines before it have put into the caches
            repeats = max(1, FACES // key[1])
            started_s = time.process_time()
            for _ in range(repeats):
                call()
            taken[key].append((time.process_time() - started_s) / (repeats * key[1]) * 1e3)
    return [_row(name, {size: statistics.median(taken[name, size]) for size in sizes}) for name in engines]


def _row(name: str, ms: dict[int, float]) -> Row:
    best = min(ms, key=lambda size: ms[size])
    return {
        "engine": name,
        **{f"of {size}": round(value, 3) for size, value in ms.items()},
        "alone / cheapest": round(next(iter(ms.values())) / ms[best], 2),
    }


def batch_call(bundle: Bundle, engine: Engine, size: int) -> Callable[[], object]:
    """All three graphs for one new frame of so many faces."""
    manifest, rng = bundle.manifest, np.random.default_rng(0)
    side, clips = manifest.crop.size, manifest.context.clips
    crops = rng.integers(0, 256, (size, side, side, 3), np.uint8)
    features = rng.standard_normal((size, manifest.clip.frames, bundle.feature_dim), np.float32)
    context = rng.standard_normal((size, clips, bundle.clip_dim), np.float32)
    clip, valid = np.ascontiguousarray(context[:, manifest.context.past]), np.ones((size, clips), np.bool_)

    def call() -> object:
        engine.encode_frames(crops)
        engine.encode_clips(features)
        return engine.run_heads(clip, context, valid)

    return call


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="folder of a bundle (default: the shipped one)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of batches (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=60, help="of each engine and size (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/engine_batches.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
