"""What large pictures cost: the same clip in 360p to 2160p, H.264, read offline, beside decoding it alone.

Processor time is that of all threads of the process, the decoder's too. What is left without decoding is compared with
360p: finding the face, cutting it out, estimating. The sizes take turns; figures are medians of the turns.

    python benchmarks/resolution.py
    python benchmarks/resolution.py --video interview.mp4 --heights 360 1080 --repeats 3

The clips are made first, for which FFmpeg needs an H.264 encoder.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

import cv2
from rich.console import Console
from rich.progress import track

from benchmarks.decoding import resized
from benchmarks.measures.report import PACKAGES, Row, show, write
from streamaffect.config import load_config
from streamaffect.errors import StreamAffectError
from streamaffect.messages import Estimate
from streamaffect.pipeline.opening import open_streams
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.engine import Engine
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.video.av_reader import AvReader

HEIGHTS = (360, 720, 1080, 2160)
GOAL, OF = 1.6, 1080


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds a frame, by the clock and of processor time."""

    wall_ms: float
    cpu_ms: float


@dataclass(slots=True)
class Measured:
    """The turns of one size; frames and estimates of the last."""

    whole: list[Cost] = field(default_factory=list)
    decoding: list[Cost] = field(default_factory=list)
    frames: int = 0
    estimates: int = 0

    def rest_ms(self, turn: int) -> float:
        """Processor time of a turn without decoding."""
        return self.whole[turn].cpu_ms - self.decoding[turn].cpu_ms


def main() -> None:
    """Measure, show and save."""
    options = _options()
    cv2.setNumThreads(1)  # as in the command line's processes
    console = Console(stderr=True)
    try:
        bundle = load_bundle()
        with tempfile.TemporaryDirectory() as folder, closing(open_engine(bundle)) as engine:
            making = track(options.heights, "making the clips", console=console)
            videos = {height: _in_height(options.video, Path(folder), height, options.frames) for height in making}
            measured = measure(videos, bundle, engine, options.repeats, console)
    except StreamAffectError as error:
        raise SystemExit(f"resolution: {error}") from None
    rows = to_rows(measured)
    show("a frame", rows)
    print(write("resolution", rows, options.out, packages=(*PACKAGES, "av")))


def measure(
    videos: Mapping[int, Path], bundle: Bundle, engine: Engine, repeats: int, console: Console
) -> dict[int, Measured]:
    """All sizes in turns, decoding right before the whole."""
    config, measured = load_config(), {height: Measured() for height in videos}
    for _ in track(range(repeats), "reading them", console=console):
        for height, video in videos.items():
            one = measured[height]
            cost, one.frames = _cost(lambda video=video: _decode(video))  # type: ignore[misc]
            one.decoding.append(cost)
            pipeline = Pipeline(open_streams([str(video)], config, bundle), bundle, engine, settings=config.source)
            cost, one.estimates = _cost(lambda pipeline=pipeline: _run(pipeline), one.frames)  # type: ignore[misc]
            one.whole.append(cost)
    return measured


def to_rows(measured: Mapping[int, Measured]) -> list[Row]:
    """One row for each size, the first the one that the others are compared with."""
    first = next(iter(measured.values()))
    return [_row(height, one, first) for height, one in measured.items()]


def _row(height: int, one: Measured, first: Measured) -> Row:
    turns = range(len(one.whole))
    shares = [one.rest_ms(turn) / first.rest_ms(turn) for turn in turns]
    return {
        "height": height,
        "ms": round(statistics.median(cost.wall_ms for cost in one.whole), 2),
        "CPU ms": round(statistics.median(cost.cpu_ms for cost in one.whole), 2),
        "decoding CPU ms": round(statistics.median(cost.cpu_ms for cost in one.decoding), 2),
        "the rest CPU ms": round(statistics.median(one.rest_ms(turn) for turn in turns), 2),
        "rest × first": round(statistics.median(shares), 2),
        "× low": round(min(shares), 2),
        "× high": round(max(shares), 2),
        "goal": GOAL if height == OF else None,
        "frames": one.frames,
        "estimates": one.estimates,
    }


def _cost(work: Callable[[], int], frames: int = 0) -> tuple[Cost, int]:
    """What the work costs a frame, and the number that it returns, which is that of frames where none is given."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    count = work()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return Cost(wall_s / (frames or count) * 1e3, cpu_s / (frames or count) * 1e3), count


def _decode(video: Path) -> int:
    """Let every picture pass by, as the decoder leaves it."""
    with closing(AvReader(video)) as reader:
        while reader.next() is not None:
            pass
        return reader.read_frames


def _run(pipeline: Pipeline) -> int:
    return sum(isinstance(message, Estimate) for message in pipeline.messages())


def _in_height(video: Path, folder: Path, height: int, frames: int) -> Path:
    """The start of the video in this height, its shape kept."""
    with closing(AvReader(video)) as reader:
        width, own = reader.size
    size = round(width * height / own / 2) * 2, height
    return resized(video, folder / f"{height}p.mp4", size, frames=frames)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, default=DEMO_CLIP, help="file to resize (default: the demo clip)")
    parser.add_argument("--heights", type=int, nargs="+", default=HEIGHTS, help="(default: %(default)s)")
    parser.add_argument("--frames", type=int, default=200, help="of the video (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=4, help="turns (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/resolution.json)")
    options = parser.parse_args()
    if any(height < 2 or height % 2 for height in options.heights) or min(options.repeats, options.frames) < 1:
        parser.error("--heights takes even numbers, --repeats and --frames 1 or more")
    return options


if __name__ == "__main__":
    main()
