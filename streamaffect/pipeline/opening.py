"""From settings to running parts: engine, sources, detectors and trackers, for `run` and `analyze` alike."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import msgspec

from streamaffect.config import Config
from streamaffect.errors import ConfigError, EngineError
from streamaffect.faces.cadence.cadence import Cadence
from streamaffect.faces.detectors.detector import FaceDetector
from streamaffect.faces.detectors.opening import open_detector
from streamaffect.faces.survey import MOST_FACES, Survey
from streamaffect.faces.tracker import Tracker
from streamaffect.lenses.view import LensPart, Medium
from streamaffect.pipeline.at_exit import close_at_exit
from streamaffect.pipeline.opening_sources import OpenSource, open_sources
from streamaffect.pipeline.stages import FaceStage
from streamaffect.pipeline.worker import Stream
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.choice import AUTO, open_engine
from streamaffect.runtime.engine import EngineInfo, StreamEngine
from streamaffect.settings import EngineSettings, LensSettings, TrackerSettings
from streamaffect.sources.sound.microphone import Microphone
from streamaffect.voice.bundled import BundledFusion, FaceAndVoice, can_hear
from streamaffect.voice.joint import open_fusion
from streamaffect.voice.model import VoiceModel
from streamaffect.voice.reader import VoiceReader
from streamaffect.voice.speaker import Speaker

LEFT_OUT = 64


def open_streams(sources: Sequence[str], config: Config, bundle: Bundle) -> list[Stream]:
    """Open every source, in order, with a detector for each; what was opened is closed again where something fails.

    sources: each "SOURCE" or "name=SOURCE". Raises SourceOpenError, ConfigError, EngineError or BundleError.
    """
    opened = open_sources(sources, config.source, realtime=config.run.realtime, require_all=config.run.require_all)
    streams: list[Stream] = []
    microphone: Microphone | None = None
    try:
        if config.source.microphone is not None:
            microphone = _open_microphone(config.source.microphone, opened)
        model = VoiceModel() if config.source.sound != "off" else None
        listens = model is not None and not config.engine.device_clips
        own = BundledFusion(bundle) if listens and can_hear(bundle) else None
        fusion = open_fusion(bundle) if listens and own is None else None
        for one in opened:
            heard = None if model is None else _make_reader(model, one, config)
            stage = make_face_stage(one.name, config, bundle, voice=heard)
            again = partial(make_detector, config, mode="video")
            both = FaceAndVoice(own, one.sound.ring) if own is not None and one.sound is not None else None
            streams.append(Stream(one.name, one.source, one.info, stage, again, one.sound, microphone, fusion, both))
    except BaseException:
        if microphone is not None:
            microphone.close()
        for one in opened:
            one.source.close()
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


def open_lens_parts(bundle: Bundle, settings: LensSettings, *, of: Medium = "stream") -> list[LensPart]:
    """The lenses that the settings name, loaded, for a stream or for stills, the prompts last.

    Raises LensError, BundleError or PromptError.
    """
    named = _named_lenses(bundle, settings, of)
    return [*named, *_prompt_lenses(bundle, settings, of, named)]


def _named_lenses(bundle: Bundle, settings: LensSettings, of: Medium) -> list[LensPart]:
    if not settings.use:
        return []
    from streamaffect.lenses.finding import open_lenses
    from streamaffect.lenses.graph import GraphLens
    from streamaffect.lenses.mesh.words import mesh_of
    from streamaffect.lenses.shared import SharedLens
    from streamaffect.personal.words import personal_of

    mesh, words = mesh_of(settings)
    own, words = personal_of(words, bundle)
    lenses = open_lenses(words, bundle)
    parts: list[LensPart] = [GraphLens(lens, weak=settings.weak, rate_hz=settings.rate_hz, of=of) for lens in lenses]
    if settings.prompts.strip():  # which ask the action units about the same faces
        parts = [SharedLens(part) for part in parts]
    for one in mesh:
        close_at_exit(one)
    return [*parts, *own, *mesh]


def _prompt_lenses(bundle: Bundle, settings: LensSettings, of: Medium, beside: Sequence[LensPart]) -> list[LensPart]:
    if not settings.prompts.strip():
        return []
    from streamaffect.prompts.opening import open_prompts

    return [open_prompts(bundle, settings.prompts, rate_hz=settings.rate_hz, of=of, beside=beside)]


def engine_after(bundle: Bundle, settings: EngineSettings) -> Callable[[EngineInfo, int], StreamEngine]:
    """What opens an engine in the place of one that has failed in use, after so many failures in a row.

    The first time it is what the settings ask for, opened anew; `auto` passes over an engine that does not open any
    more. If that fails too, `auto` goes on to the engine that runs everywhere, and then begins again.
    """

    def open_next(failed: EngineInfo, failures: int) -> StreamEngine:
        if settings.backend != AUTO or failures % 2 == 1:
            return open_stream_engine(bundle, settings)
        from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(bundle, reason=f"auto: {failed} failed in use", threads=settings.threads)

    return open_next


def make_detector(config: Config, *, mode: Literal["video", "image"]) -> FaceDetector:
    """The detector that the settings ask for, loaded. Raises EngineError where it is not available here.

    Of a stream it gives more faces than are followed, so that those without room can be counted; of stills all.
    """
    most = config.tracker.max_faces + LEFT_OUT if mode == "video" else MOST_FACES
    return open_detector(config.faces, mode=mode, max_faces=most)


def tracker_settings(config: Config, bundle: Bundle) -> TrackerSettings:
    """How faces are followed with this bundle."""
    # A face that is hidden for longer than a clip has nothing left in its clip to be estimated from.
    keep_s = min(config.tracker.keep_s, bundle.manifest.clip.length_s)
    return msgspec.structs.replace(config.tracker, keep_s=keep_s)


def make_face_stage(
    name: str,
    config: Config,
    bundle: Bundle,
    *,
    detector: FaceDetector | None = None,
    voice: VoiceReader | None = None,
) -> FaceStage:
    """What finds and follows the faces of a stream, as the settings ask for.

    name:     what messages call the stream
    detector: what it looks with; None opens one, which may raise EngineError
    voice:    reads what is heard beside the frames; None where nobody listens
    """
    settings = tracker_settings(config, bundle)
    cadence = Cadence(settings, every=None if config.faces.every == "auto" else config.faces.every)
    return FaceStage(
        detector or make_detector(config, mode="video"),
        Tracker(settings),
        bundle,
        survey=Survey(name, config.faces),
        voice=voice,
        cadence=cadence,
    )


def _make_reader(model: VoiceModel, source: OpenSource, config: Config) -> VoiceReader | None:
    if source.sound is None:
        return None
    return VoiceReader(model, source.sound.ring, Speaker(config.voice.whose(source.name)))


def _open_microphone(name: str, opened: Sequence[OpenSource]) -> Microphone:
    """The microphone that all live streams hear.

    Raises SourceOpenError where there is none, ConfigError where a stream is not live.
    """
    for one in opened:
        if not one.info.live:
            raise ConfigError(
                f'source.sound = "mic": {one.name} is read from a file, which no microphone hears; '
                "--sound auto hears its own sound, or add --realtime"
            )
    microphone = Microphone(name, [one.sound for one in opened if one.sound is not None])
    microphone.open()
    return microphone
