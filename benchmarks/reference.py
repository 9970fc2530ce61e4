"""What rolling features save: an estimate in the published way and in ours, same network, same weights, same run.

The published implementation (Foteinopoulou & Patras 2022) takes, for each estimate, five clips of 16 frames through
backbone and clip encoder. Here each frame goes through the backbone once and each clip through the clip encoder once.
What is counted on both sides is all from the aligned crops in memory to the numbers of every head; ours with all its
bookkeeping of clips and tracks, and the same numbers come out. Neither finds faces, nor decodes. The crops are those of
the demo clip.

The shipped bundle's clips are shorter than the published ones: the same is measured with its own clips, and with as
many frames as published, 80, through the same graphs. Both ways take turns.

    python benchmarks/reference.py
    python benchmarks/reference.py --bundle runs/paper-size --precision fp32 --turns 2
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.measures.report import PACKAGES, Row, show, write
from streamaffect.affect.estimate import Estimator, Observation
from streamaffect.config import Config
from streamaffect.errors import SourceEndedError, StreamAffectError
from streamaffect.faces.crop import crop_face
from streamaffect.pipeline.opening import make_detector
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import AUTO, PRECISIONS, open_engine
from streamaffect.runtime.engine import Engine
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.file import FileSource
from streamaffect.types import FloatArray, ImageArray

CLIPS, FRAMES = 5, 16  # as published
FRAME_S = 0.04
GOAL = 60.0
DEFAULT = (AUTO, "fp32")
ESTIMATES = 5  # in the published way in a turn
STEPS = 50  # of ours in a turn for one in the published way: about as long


@dataclass(frozen=True, slots=True)
class Way:
    """How many frames and clips the published way takes for one estimate, and what that is."""

    what: str
    frames: int
    clips: int


def main() -> None:
    """Measure, show and save."""
    options = _options()
    cv2.setNumThreads(1)  # as in the command line's processes
    try:
        bundle = load_bundle(options.bundle)
        crops = face_crops(bundle)
        rows: list[Row] = []
        for precision in dict.fromkeys(options.precision or DEFAULT):
            with closing(open_engine(bundle, precision=precision)) as engine:
                rows += [row(way, bundle, engine, crops, options.turns) for way in ways(bundle)]
    except StreamAffectError as error:
        raise SystemExit(f"reference: {error}") from None
    show(f"one estimate with {bundle.manifest.label}", rows)
    print(write("reference", rows, options.out, packages=PACKAGES))


def ways(bundle: Bundle) -> list[Way]:
    """With as many frames as published, and with those of the bundle's own clips where these are others."""
    length, context = bundle.manifest.clip.frames, bundle.manifest.context.clips
    published = Way(f"{CLIPS} clips of {FRAMES}, as published", CLIPS * FRAMES, CLIPS * FRAMES // length)
    own = Way(f"{context} clips of {length}, as in the bundle", context * length, context)
    return [published] if own.frames == published.frames else [published, own]


def face_crops(bundle: Bundle) -> ImageArray:
    """(N, S, S, 3) uint8 RGB: the face of each frame of the demo clip."""
    with FileSource(DEMO_CLIP) as source, closing(make_detector(Config(), mode="video")) as detector:
        source.open()
        crops: list[ImageArray] = []
        while True:
            try:
                frame = source.read()
            except SourceEndedError:
                return np.stack(crops)
            found = detector.detect(frame.picture, len(crops) * FRAME_S)
            crops += [crop_face(frame.picture, face, bundle.manifest.crop) for face in found[:1]]


def row(way: Way, bundle: Bundle, engine: Engine, crops: ImageArray, turns: int) -> Row:
    """Both ways in turns, some estimates of each."""
    published, ours = published_way(way, bundle, engine, crops), rolling_way(bundle, engine, crops)
    rounds = track(range(turns), f"{way.what}, {engine.info.precision}", console=Console(stderr=True))
    pairs = [(_ms(published, ESTIMATES), _ms(ours, ESTIMATES * STEPS)) for _ in rounds]
    ratios = [slow / fast for slow, fast in pairs]
    return {
        "published way": way.what,
        "precision": engine.info.precision,
        "frames": way.frames,
        "its ms": round(statistics.median(slow for slow, _ in pairs), 2),
        "our ms": round(statistics.median(fast for _, fast in pairs), 3),
        "ours is × as fast": round(statistics.median(ratios), 1),
        "× low": round(min(ratios), 1),
        "× high": round(max(ratios), 1),
        "goal": GOAL,
    }


def published_way(way: Way, bundle: Bundle, engine: Engine, crops: ImageArray) -> Callable[[], object]:
    """One estimate after another, each a frame later: all frames of all clips, in one batch each."""
    length, context = bundle.manifest.clip.frames, bundle.manifest.context.clips
    starts = itertools.cycle(range(len(crops) - way.frames))
    valid = np.ones((1, context), np.bool_)

    def estimate() -> object:
        first = next(starts)
        features = engine.encode_frames(crops[first : first + way.frames])  # (frames, S, S, 3) → (frames, D)
        clips = engine.encode_clips(_as_clips(features, way.clips, length))  # (clips, T, D) → (clips, C)
        around = np.ascontiguousarray(clips[-context:][None])
        return engine.run_heads(around[:, bundle.manifest.context.past], around, valid)

    return estimate


def _as_clips(features: FloatArray, clips: int, length: int) -> FloatArray:
    return np.ascontiguousarray(features[-clips * length :].reshape(clips, length, -1))


def rolling_way(bundle: Bundle, engine: Engine, crops: ImageArray) -> Callable[[], object]:
    """One estimate after another, each a frame later; the context is full from the first on that is measured."""
    estimator, times, period_s = Estimator(bundle, engine), itertools.count(), bundle.manifest.clip.period_s

    def estimate() -> object:
        index = next(times)
        return estimator.step([Observation(("demo", 0), index * period_s, crops[index % len(crops)])])

    for _ in range(bundle.manifest.clip.frames * bundle.manifest.context.clips):
        estimate()
    return estimate


def _ms(estimate: Callable[[], object], count: int) -> float:
    started_s = time.perf_counter()
    for _ in range(count):
        estimate()
    return (time.perf_counter() - started_s) / count * 1e3


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="folder of a bundle (default: the shipped one)")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        action="append",
        help=f"of both ways; repeatable (default: {', '.join(DEFAULT)})",
    )
    parser.add_argument("--turns", type=int, default=15, help="of either way (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/reference.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
