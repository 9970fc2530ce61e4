"""From settings to running parts: engine, sources, detectors and trackers, for `run` and `analyze` alike."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from streamaffect.config import Config
from streamaffect.errors import ConfigError, EngineError
from streamaffect.faces.detector import FaceDetector
from streamaffect.faces.opening import open_detector
from streamaffect.faces.tracker import Tracker
from streamaffect.names import free_name
from streamaffect.pipeline.stages import FaceStage
from streamaffect.pipeline.worker import Stream
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.choice import AUTO, open_engine
from streamaffect.runtime.engine import StreamEngine
from streamaffect.settings import EngineSettings
from streamaffect.sources.parse import make_source, split_name


def open_streams(sources: Sequence[str], config: Config, bundle: Bundle) -> list[Stream]:
    """Open every source, in order; what was opened is closed again if a later one fails.

    sources: each "SOURCE" or "name=SOURCE". Raises SourceOpenError or ConfigError.
    """
    streams: list[Stream] = []
    try:
        for text in sources:
            streams.append(_open_stream(text, config, bundle, taken={stream.name for stream in streams}))
    except BaseException:
        for stream in streams:
            stream.close()
        raise
    return streams


def open_stream_engine(bundle: Bundle, settings: EngineSettings) -> StreamEngine:
    """The engine that the settings ask for, with its memory on the GPU where they ask for that too.

    Raises ConfigError where the settings contradict each other, EngineError where what they ask for is not there.
    """
    if settings.device_clips and settings.backend not in (AUTO, "tensorrt"):
        raise ConfigError(
            f"engine.device_clips = true: {settings.backend} keeps no features in a GPU's memory; "
            "only --engine tensorrt does"
        )
    engine = open_engine(bundle, settings.backend, precision=settings.precision, threads=settings.threads)
    if not settings.device_clips:
        return engine
    from streamaffect.runtime.device_clips import DeviceClips
    from streamaffect.runtime.tensorrt import TensorRtEngine

    try:
        if not isinstance(engine, TensorRtEngine):
            raise EngineError(
                f"engine.device_clips = true needs a TensorRT engine, and {engine.info} was taken "
                f"({engine.info.reason}); --engine tensorrt says what is missing"
            )
        return DeviceClips(engine, bundle)
    except BaseException:
        engine.close()
        raise


def make_detector(config: Config, *, mode: Literal["video", "image"]) -> FaceDetector:
    """The detector that the settings ask for, loaded. Raises EngineError where it is not available here."""
    return open_detector(config.faces, mode=mode, max_faces=config.tracker.max_faces)


def _open_stream(text: str, config: Config, bundle: Bundle, *, taken: set[str]) -> Stream:
    name, spec = split_name(text)
    source = make_source(spec, realtime=config.run.realtime, settings=config.source)
    try:
        info = source.open()
        return Stream(free_name(name, taken), source, info, _make_face_stage(config, bundle))
    except BaseException:
        source.close()
        raise


def _make_face_stage(config: Config, bundle: Bundle) -> FaceStage:
    # A face that is hidden for longer than a clip has nothing left in its clip to be estimated from.
    keep_s = min(config.tracker.keep_s, bundle.manifest.clip.length_s)
    tracker = Tracker(msgspec.structs.replace(config.tracker, keep_s=keep_s))
    return FaceStage(make_detector(config, mode="video"), tracker, bundle)
