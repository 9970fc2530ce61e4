"""A source and a detector that do what a test tells them, for the parts between them and the feed."""

import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from streamaffect.clock import monotonic_ns
from streamaffect.errors import SourceEndedError
from streamaffect.faces.tracker import Tracker
from streamaffect.pipeline.stages import FaceStage
from streamaffect.pipeline.worker import Stream
from streamaffect.runtime.bundle import Bundle
from streamaffect.settings import TrackerSettings
from streamaffect.sources.base import Source, SourceInfo
from streamaffect.types import Box, Face, Frame, ImageArray, Picture

HEIGHT, WIDTH = 48, 64
FACE = Face(Box(0.25, 0.125, 0.5, 0.75), score=0.875)


def picture(index: int, seed: int = 0) -> ImageArray:
    """The same scene in every picture, under noise and a light that change from frame to frame."""
    scene = np.random.default_rng(1).integers(0, 150, (HEIGHT // 8, WIDTH // 8, 3)).repeat(8, axis=0).repeat(8, axis=1)
    rng = np.random.default_rng((seed, index))
    return (scene + rng.integers(0, 60, (HEIGHT, WIDTH, 3)) + rng.integers(0, 40, 3)).astype(np.uint8)


class ScriptedSource(Source):
    """Frames at chosen times.

    times_s:  the frames' own times; also their capture time
    errors:   what `read` raises, once, instead of giving the frame of that index
    before:   called with the index before each frame, e.g. to wait for something
    pace_s:   seconds from frame to frame
    """

    def __init__(
        self,
        times_s: Sequence[float],
        *,
        live: bool = False,
        seed: int = 0,
        errors: Mapping[int, Exception] | None = None,
        before: Callable[[int], None] | None = None,
        blocks_at_end: bool = False,
        pace_s: float = 0.0,
    ) -> None:
        self.closed = threading.Event()
        self.exhausted = threading.Event()
        self._times_s = times_s
        self._live = live
        self._seed = seed
        self._errors = dict(errors or {})
        self._before = before
        self._blocks_at_end = blocks_at_end
        self._pace_s = pace_s
        self._index = 0

    def open(self) -> SourceInfo:
        duration_s = None if self._live else float(self._times_s[-1])
        return SourceInfo("synthetic", "scripted", self._live, WIDTH, HEIGHT, None, len(self._times_s), duration_s)

    def read(self) -> Frame:
        index = self._index
        if index in self._errors:
            raise self._errors.pop(index)
        if index == len(self._times_s):
            self.exhausted.set()
            if self._blocks_at_end:
                self.closed.wait()
        if self.closed.is_set() or index == len(self._times_s):
            raise SourceEndedError("scripted: no more frames")
        if self._before is not None:
            self._before(index)
        if self._pace_s and self.closed.wait(self._pace_s):
            raise SourceEndedError("scripted: was closed")
        self._index += 1
        time_s = float(self._times_s[index])
        return Frame(
            picture(index, self._seed),
            index,
            time_s,
            t_capture_ns=round(time_s * 1e9),
            grabbed_ns=monotonic_ns() if self._live else None,
            pts_s=None if self._live else time_s,
        )

    def close(self) -> None:
        self.closed.set()


class ScriptedDetector:
    """Finds what `faces_at` says is there at that time; by default one face in every frame."""

    def __init__(self, faces_at: Callable[[float], list[Face]] = lambda _: [FACE]) -> None:
        self.closed = threading.Event()
        self._faces_at = faces_at

    def detect(self, image: ImageArray | Picture, time_s: float) -> list[Face]:
        return self._faces_at(time_s)

    def close(self) -> None:
        self.closed.set()


def make_face_stage(bundle: Bundle, detector: ScriptedDetector, keep_s: float = 0.3) -> FaceStage:
    """Every face is believed at once."""
    return FaceStage(detector, Tracker(TrackerSettings(confirm_hits=1, confirm_s=0.0, keep_s=keep_s)), bundle)


def make_stream(name: str, source: Source, bundle: Bundle, detector: ScriptedDetector | None = None) -> Stream:
    """An opened stream."""
    return Stream(name, source, source.open(), make_face_stage(bundle, detector or ScriptedDetector()))
