"""What lenses cost a run: processor time of a frame without and with them, and of each lens by itself.

Runs without and with the lenses take turns (without, with, with, without), so that what else the machine does falls on
both alike; each is a process of its own, started as a user starts it, with its display in a terminal or without one.
Then a file is read with every lens, whose looks are timed one by one on the thread that makes them, and without any;
its estimates are described in words. What the bundle itself says must be the same to the bit. Linux alone.

    python benchmarks/live/lens_cost.py
    python benchmarks/live/lens_cost.py --source clip=interview.mp4 --lens units,map --pairs 2
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import os
import pty
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress

import msgspec
import numpy as np

from benchmarks.live.live_run import Seen, watch
from benchmarks.measures.report import PACKAGES, Row, show, write
from streamaffect import Estimate, load_bundle
from streamaffect.config import Config, load_config
from streamaffect.errors import StreamAffectError
from streamaffect.lenses.view import LensPart, Reading, View
from streamaffect.pipeline.opening import open_lens_parts, open_stream_engine, open_streams
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.settings import DescribeSettings
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.text.describer import Describer

COLUMNS, ROWS = 120, 50  # of the terminal
MEDIAN_OF_FEW = 3


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="demo", help="as for run_stream.py (default: %(default)s)")
    parser.add_argument("--lens", default="all", help="as for run_stream.py (default: %(default)s)")
    parser.add_argument("--beside", default="aligned", help="timed one by one as well (default: %(default)s)")
    parser.add_argument(
        "--prompts", default="she is beaming; about to cry", help="timed as well (default: %(default)s)"
    )
    parser.add_argument("--pairs", type=int, default=3, help="of runs, each kind (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run, after 3 s (default: %(default)g)")
    parser.add_argument("--video", type=Path, default=DEMO_CLIP, help="the file (default: that of the demo)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/lens_cost.json)")
    options = parser.parse_args()
    rows = [
        *pairs(options.source, options.lens, options.pairs, options.seconds, has_display=False),
        *pairs(options.source, options.lens, options.pairs, options.seconds, has_display=True),
    ]
    try:
        rows += one_by_one(options.video, [*options.lens.split(","), options.beside], options.prompts)
    except StreamAffectError as error:
        raise SystemExit(f"lens_cost: {error}") from None
    show(f"cost of lenses, --lens {options.lens}", rows)
    print(write("lens_cost", rows, options.out, packages=(*PACKAGES, "av")))


def pairs(source: str, lens: str, count: int, seconds: float, *, has_display: bool) -> Iterator[Row]:
    """Processor time of a frame that was analysed, of the whole process, and the ratio of each pair."""
    costs: dict[str, list[float]] = {"without": [], "with": []}
    for number in range(2 * count):
        kind = "with" if number % 4 in (1, 2) else "without"
        words = ("--lens", lens) if kind == "with" else ()
        with terminal() if has_display else nullcontext() as screen:
            shown = ("--display",) if has_display else ()
            costs[kind].append(_ms_a_frame(watch([source], seconds, *words, *shown, screen=screen)))
    ratios = [a / b for a, b in zip(costs["with"], costs["without"], strict=True)]
    run = "a run with its display" if has_display else "a run without a display"
    for figure, values in (
        ("CPU ms a frame without lenses", costs["without"]),
        ("CPU ms a frame with them", costs["with"]),
        ("with / without", ratios),
    ):
        yield _row(run, figure, values)


@contextmanager
def terminal() -> Iterator[int]:
    """A terminal that nobody looks at."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    reader = threading.Thread(target=_drain, args=(ours,), daemon=True)
    reader.start()
    try:
        yield theirs
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)


def _drain(descriptor: int) -> None:
    with suppress(OSError):  # the other end is closed
        while os.read(descriptor, 1 << 16):
            pass


def _ms_a_frame(seen: Seen) -> float:
    return 1e3 * seen.cpu_s / (seen.frames - sum(seen.skipped.values()))


class TimedLens:
    """A lens, and the processor time of each face that it has looked at, in ms."""

    def __init__(self, lens: LensPart) -> None:
        self._lens = lens
        self.meta, self.inputs, self.rate_hz = lens.meta, lens.inputs, lens.rate_hz
        self.ms: list[float] = []

    def look(self, views: Sequence[View]) -> Sequence[Reading | None]:
        """What the lens says."""
        begun_ns = time.thread_time_ns()
        found = self._lens.look(views)
        self.ms += [(time.thread_time_ns() - begun_ns) / 1e6 / len(views)] * len(views)
        return found


def one_by_one(video: Path, lenses: Sequence[str], prompts: str) -> Iterator[Row]:
    """What each lens costs a face, all together, and how many estimates differ from those without lenses."""
    chosen = {"use": list(dict.fromkeys(filter(None, lenses))), "prompts": prompts}
    config = load_config(flags={"lens": chosen, "engine": {"backend": "onnxruntime"}})
    timed = [TimedLens(part) for part in open_lens_parts(load_bundle(), config.lens)]
    seen = list(read(video, config, timed))
    for lens in timed:
        yield _row(f"{lens.meta.name}, one face", "CPU ms a face", lens.ms)
    faces = [sum(ms) for ms in zip(*(lens.ms for lens in timed), strict=False)]
    yield _row(f"{len(timed)} lenses together", "CPU ms a face", faces)
    yield _row("a sentence a second", "CPU ms a second", describing_ms(seen))
    bare = list(read(video, config, []))
    differing = sum(plain(one) != plain(other) for one, other in zip(bare, seen, strict=True))
    yield {**_row("the bundle's own values", "estimates that differ", [differing]), "runs": len(bare)}


def read(video: Path, config: Config, lenses: Sequence[LensPart]) -> Iterator[Estimate]:
    """The estimates of a file, on the code that streams."""
    bundle = load_bundle()
    with closing(open_stream_engine(bundle, config.engine)) as engine:
        streams = open_streams([str(video)], config, bundle)
        pipeline = Pipeline(streams, bundle, engine, settings=config.source, lenses=lenses)
        with closing(pipeline.messages()) as messages:
            yield from (message for message in messages if isinstance(message, Estimate))


def describing_ms(seen: Sequence[Estimate]) -> list[float]:
    """What `--describe` takes for one face, in each second of the file."""
    describer = Describer(period_s=DescribeSettings().period_s)
    seconds: dict[int, float] = {}
    for estimate in seen:
        begun_ns = time.thread_time_ns()
        list(describer.apply([estimate]))
        spent_ms = (time.thread_time_ns() - begun_ns) / 1e6
        second = estimate.t_capture_ns // 1_000_000_000
        seconds[second] = seconds.get(second, 0.0) + spent_ms
    return list(seconds.values())


def plain(estimate: Estimate) -> bytes:
    """What there is of it without lenses, but for the times that it took."""
    outputs = {name: values for name, values in estimate.outputs.items() if name == "emotions"}
    bare = msgspec.structs.replace(
        estimate, outputs=outputs, output_intervals=msgspec.UNSET, square=msgspec.UNSET, latency_ms={}, t_publish_ns=0
    )
    return msgspec.json.encode(bare)


def _row(what: str, figure: str, values: Sequence[float]) -> Row:
    """The median, and the least and the most of few values, else the fifth and the 95th percentile."""
    few = len(values) <= 2 * MEDIAN_OF_FEW
    low, high = (min(values), max(values)) if few else np.percentile(values, (5, 95)).tolist()
    middle = statistics.median(values)
    return {"what": what, "figure": figure, "median": middle, "low": low, "high": high, "runs": len(values)}


if __name__ == "__main__":
    main()
