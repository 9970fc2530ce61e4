"""Throughput: frames per second of a file read offline, against its parts alone, and how many live streams fit.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --video interview.mp4 --max-streams 0
"""

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from report import show, write

import streamaffect
from streamaffect.config import load_config
from streamaffect.opening import make_detector, open_streams
from streamaffect.pipeline import Pipeline
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.engine import Engine
from streamaffect.sources.file import FileSource
from streamaffect.types import ImageArray

DEMO = Path(streamaffect.__file__).parent / "assets" / "demo.mp4"
ENGINE_CALLS = 300
STREAM_S = 8.0
MAX_SKIPPED_SHARE = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, default=DEMO, help="file for the offline part (default: the demo clip)")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many counts (default: %(default)s)")
    parser.add_argument("--max-streams", type=int, default=32, help="most live streams to try; 0 skips that part")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/throughput.json)")
    options = parser.parse_args()
    bundle = load_bundle()
    engine = open_engine(bundle)
    rows = offline(options.video, bundle, engine, options.repeats)
    if options.max_streams:
        rows.append({"what": "live streams of 25 fps, 640×360", "value": live_streams(bundle, engine, options.max_streams)})
    show("throughput", rows)
    print(write("throughput", rows, options.out))


def offline(video: Path, bundle: Bundle, engine: Engine, repeats: int) -> list[dict[str, object]]:
    """The whole pipeline over a file, and decoding, detector and engine alone over the same frames."""
    images = _decode(video)
    frames = len(images)
    wall_s = min(_run_pipeline(video, bundle, engine) for _ in range(repeats))
    alone_ms = {
        "decode": min(_timed(lambda: _decode(video)) for _ in range(repeats)) / frames * 1e3,
        "detector": min(_timed(lambda: _detect(images)) for _ in range(repeats)) / frames * 1e3,
        "engine": _engine_ms(bundle, engine),
    }
    rows: list[dict[str, object]] = [
        {"what": "offline, end to end: frames per second", "value": round(frames / wall_s, 1)},
        {"what": "offline, end to end: ms a frame", "value": round(wall_s / frames * 1e3, 2)},
    ]
    rows += [{"what": f"{name} alone: ms a frame", "value": round(value, 2)} for name, value in alone_ms.items()]
    ratio = wall_s / frames * 1e3 / sum(alone_ms.values())
    rows.append({"what": "end to end / sum of the parts alone", "value": round(ratio, 2)})
    return rows


def live_streams(bundle: Bundle, engine: Engine, most: int) -> int:
    """The largest number of synthetic streams of which less than 1 % of the frames are skipped."""
    for count in itertools.count(1):
        if count > most or _skipped_share(bundle, engine, count) > MAX_SKIPPED_SHARE:
            return count - 1
    raise AssertionError


def _skipped_share(bundle: Bundle, engine: Engine, count: int) -> float:
    config = load_config()
    streams = open_streams([f"s{i}=synthetic:faces=1,fps=25,size=640x360" for i in range(count)], config, bundle)
    pipeline = Pipeline(streams, bundle, engine, settings=config.source, max_seconds=STREAM_S)
    for _ in pipeline.messages():
        pass
    frames = sum(stats.finished for stats in pipeline.stats.values())
    skipped = sum(stats.skipped for stats in pipeline.stats.values())
    return skipped / max(1, frames + skipped)


def _run_pipeline(video: Path, bundle: Bundle, engine: Engine) -> float:
    config = load_config()
    streams = open_streams([str(video)], config, bundle)
    pipeline = Pipeline(streams, bundle, engine, settings=config.source)
    return _timed(lambda: [None for _ in pipeline.messages()])


def _decode(video: Path) -> list[ImageArray]:
    images = []
    with FileSource(video) as source:
        source.open()
        while True:
            try:
                images.append(source.read().image)
            except streamaffect.SourceError:
                return images


def _detect(images: list[ImageArray]) -> None:
    detector = make_detector(load_config(), mode="video")
    for i, image in enumerate(images):
        detector.detect(image, i * 0.04)
    detector.close()


def _engine_ms(bundle: Bundle, engine: Engine) -> float:
    """Milliseconds of the three graphs for one face."""
    manifest = bundle.manifest
    size, clips = manifest.crop.size, manifest.context.clips
    crops = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    valid = np.ones((1, clips), np.bool_)

    def call() -> None:
        features = engine.encode_frames(crops)
        clip = engine.encode_clips(np.repeat(features[:, None], manifest.clip.frames, axis=1))
        engine.run_heads(clip, np.repeat(clip[:, None], clips, axis=1), valid)

    return _timed(lambda: [call() for _ in range(ENGINE_CALLS)]) / ENGINE_CALLS * 1e3


def _timed(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
