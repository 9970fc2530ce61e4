"""The verb `bench`: how fast the pipeline is on this machine, and how many live streams it carries."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from streamaffect.affect.estimate import Estimator, Observation
from streamaffect.config import Config, load_config
from streamaffect.errors import SourceEndedError
from streamaffect.pipeline.opening import make_detector, open_streams
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.engine import Engine, EngineInfo
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.file import FileSource
from streamaffect.types import BoolArray, FloatArray, ImageArray, Picture, pixels

ENGINE_CALLS = 300
STREAM_S = 8.0
MAX_SKIPPED_SHARE = 0.01
FRAME_S = 0.04

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OfflineCost:
    """Milliseconds a frame of a file that is read offline: the whole pipeline, and its parts alone.

    Two threads share the work, so that the whole may cost less time than the sum of its parts.
    """

    frames: int
    whole_ms: float
    decode_ms: float
    detector_ms: float
    engine_ms: float

    @property
    def frames_per_second(self) -> float:
        """End to end."""
        return 1e3 / self.whole_ms

    @property
    def overhead(self) -> float:
        """Wall time over the sum of decoding, detector and engine alone."""
        return self.whole_ms / (self.decode_ms + self.detector_ms + self.engine_ms)


def bench(*, bundle: str | None, engine: str, video: Path | None, max_streams: int) -> int:
    """Measure and print; returns the exit code."""
    from rich.console import Console
    from rich.table import Table

    loaded = load_bundle(bundle)
    running = open_engine(loaded, engine)
    console = Console()
    with console.status("reading a clip offline, as fast as it goes"):
        cost = offline_cost(video or DEMO_CLIP, loaded, running)
    table = Table(box=None, show_header=False, title=f"{loaded.manifest.label} on {running.info}", title_justify="left")
    table.add_row("offline, end to end", f"{cost.frames_per_second:.0f} frames/s", f"{cost.whole_ms:.2f} ms a frame")
    for part, milliseconds in (("decode", cost.decode_ms), ("detector", cost.detector_ms), ("engine", cost.engine_ms)):
        table.add_row(f"{part} alone", "", f"{milliseconds:.2f} ms a frame")
    table.add_row("end to end / sum of the parts", f"{cost.overhead:.2f}", "")
    if max_streams:
        with console.status(f"adding live streams, {STREAM_S:.0f} s each, until frames are skipped"):
            streams = live_streams(loaded, running, max_streams)
        table.add_row("live streams of 25 fps, 640×360", f"{streams}", "with less than 1 % of frames skipped")
    console.print(table)
    return 0


def offline_cost(video: Path, bundle: Bundle, engine: Engine, *, repeats: int = 3) -> OfflineCost:
    """Each part is the fastest of `repeats` passes over the file."""
    images = [pixels(picture) for picture in _decoded(video)]
    frames = len(images)

    def fastest_ms(work: Callable[[], object]) -> float:
        return min(_elapsed_s(work) for _ in range(repeats)) / frames * 1e3

    return OfflineCost(
        frames=frames,
        whole_ms=fastest_ms(lambda: _run_pipeline([str(video)], bundle, engine, None)),
        decode_ms=fastest_ms(lambda: deque(_decoded(video), maxlen=0)),
        detector_ms=fastest_ms(lambda: _detect(images)),
        engine_ms=_engine_ms(bundle, engine),
    )


def live_streams(bundle: Bundle, engine: Engine, most: int) -> int:
    """The largest number of synthetic streams of which less than 1 % of the frames are skipped."""
    for count in itertools.count(1):
        if count > most or _skipped_share(bundle, engine, count) > MAX_SKIPPED_SHARE:
            return count - 1
    raise AssertionError


def _skipped_share(bundle: Bundle, engine: Engine, count: int) -> float:
    sources = [f"s{i}=synthetic:faces=1,fps=25,size=640x360" for i in range(count)]
    stats = _run_pipeline(sources, bundle, engine, STREAM_S).stats.values()
    skipped = sum(one.skipped for one in stats)
    return skipped / max(1, skipped + sum(one.finished for one in stats))


def _run_pipeline(sources: list[str], bundle: Bundle, engine: Engine, max_seconds: float | None) -> Pipeline:
    config = load_config()
    streams = open_streams(sources, config, bundle)
    pipeline = Pipeline(streams, bundle, engine, settings=config.source, max_seconds=max_seconds)
    for _ in pipeline.messages():
        pass
    return pipeline


def _decoded(video: Path) -> Iterator[ImageArray | Picture]:
    with FileSource(video) as source:
        source.open()
        while True:
            try:
                yield source.read().picture
            except SourceEndedError:
                return


def _detect(images: list[ImageArray]) -> None:
    detector = make_detector(Config(), mode="video")
    for i, image in enumerate(images):
        detector.detect(image, i * FRAME_S)
    detector.close()


def _engine_ms(bundle: Bundle, engine: Engine) -> float:
    """Milliseconds of the three graphs for one face, as the estimator calls them frame by frame."""
    size = bundle.manifest.crop.size
    crop = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    watched = _WatchedEngine(engine)
    estimator = Estimator(bundle, watched)
    for i in range(ENGINE_CALLS):
        estimator.step([Observation(("bench", 0), i * FRAME_S, crop)])
    return watched.busy_s / ENGINE_CALLS * 1e3


class _WatchedEngine:
    """Passes every call on to an engine and adds up how long they take."""

    def __init__(self, engine: Engine) -> None:
        self.busy_s = 0.0
        self._engine = engine

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        return self._timed(lambda: self._engine.encode_frames(crops))

    def encode_clips(self, features: FloatArray) -> FloatArray:
        return self._timed(lambda: self._engine.encode_clips(features))

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        return self._timed(lambda: self._engine.run_heads(clip, context, valid))

    def close(self) -> None:
        self._engine.close()

    def _timed(self, call: Callable[[], T]) -> T:
        started_s = time.perf_counter()
        result = call()
        self.busy_s += time.perf_counter() - started_s
        return result


def _elapsed_s(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s
