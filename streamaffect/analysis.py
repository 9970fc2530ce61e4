"""Affect of a file or a picture, as a plain function call. What runs is the code that streams."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np

from streamaffect.affect.calibration import Affect, is_finite, read_heads
from streamaffect.config import Config, load_config
from streamaffect.errors import ConfigError
from streamaffect.faces.crop import crop_box, crop_face
from streamaffect.faces.looks import looks
from streamaffect.faces.quality import measure
from streamaffect.pipeline.opening import make_detector, open_streams
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.runtime.engine import Engine
from streamaffect.types import Box, Estimate, Face, FloatArray, ImageArray

BundleLike = Bundle | str | Path | None
STILL_STREAM = "image"


def analyze(
    source: str | Path, *, bundle: BundleLike = None, engine: str = "auto", **settings: object
) -> Iterator[Estimate]:
    """Run the offline pipeline over a video file: every frame, in order, as fast as it goes.

    source:   path of a file
    bundle:   folder or loaded bundle; None is the shipped one
    engine:   "auto" or a backend's name
    settings: sections of the configuration, e.g. faces={"min_score": 0.6}

    Yields the estimates of all faces in the order of time. Raises SourceOpenError, BundleError, EngineError or
    ConfigError at the first estimate that is asked for.
    """
    loaded = _loaded(bundle)
    config = load_config(flags=_sections(settings))
    with closing(open_engine(loaded, engine)) as running:
        streams = open_streams([str(source)], config, loaded)
        max_seconds = config.run.max_seconds or None
        pipeline = Pipeline(streams, loaded, running, settings=config.source, max_seconds=max_seconds)
        if pipeline.is_live:
            streams[0].close()
            raise ConfigError(
                f"analyze reads files, {str(source)!r} is live; run the stream and use streamaffect.Subscriber"
            )
        with closing(pipeline.messages()) as messages:
            for message in messages:
                if isinstance(message, Estimate):
                    yield message


def analyze_image(
    image: ImageArray,
    *,
    boxes: Sequence[Sequence[float]] | None = None,
    bundle: BundleLike = None,
    engine: str = "auto",
) -> list[Estimate]:
    """Estimate every face of a still, taken as a clip of equal frames without any context before it.

    Each face is looked at as it is and a little closer, each also mirrored, and the four answers are averaged.

    image: (H, W, 3) uint8 BGR
    boxes: faces as (x, y, w, h) in shares of the picture; skips detection. The bundle's margin is added as far as the
           picture has room, so the box (0, 0, 1, 1) takes a picture that is a face crop as it is.

    Returns one estimate per face, the largest first, or in the order of `boxes`; an empty list where there is no face.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ConfigError(f"image must be (H, W, 3) uint8 BGR, as cv2.imread gives it; got {image.shape} {image.dtype}")
    folder = bundle.path if isinstance(bundle, Bundle) else bundle
    return _still_analyser(None if folder is None else Path(folder), engine).estimate(image, boxes)


class _StillAnalyser:
    """A loaded engine and a detector for pictures that have nothing to do with each other."""

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self._bundle = bundle
        self._engine = engine
        self._detector = make_detector(Config(), mode="image")
        self._lock = threading.Lock()  # engines and detectors serve one thread at a time
        # MediaPipe closes on a pool's thread, and complains on standard error if no pool takes work any more: `atexit`
        # comes after the end of all pools, this hook of theirs before.
        threading._register_atexit(self._detector.close)  # type: ignore[attr-defined]

    def estimate(self, image: ImageArray, boxes: Sequence[Sequence[float]] | None) -> list[Estimate]:
        spec = self._bundle.manifest.crop
        with self._lock:
            if boxes is None:
                faces = self._detector.detect(image, 0.0)
                crops = [crop_face(image, face, spec) for face in faces]
            else:
                faces = [Face(_checked_box(box), score=1.0) for box in boxes]
                crops = [crop_box(image, face.box, spec) for face in faces]
            if not crops:
                return []
            heads = self._predict_looks(np.stack(crops))
        qualities = [measure(crop, face, image.shape, spec).overall for crop, face in zip(crops, faces, strict=True)]
        return [
            self._to_estimate(i, face, qualities[i], {name: rows[i] for name, rows in heads.items()})
            for i, face in enumerate(faces)
        ]

    def _predict_looks(self, crops: ImageArray) -> dict[str, FloatArray]:
        """The mean over the looks at the crops (N, S, S, 3)."""
        answers = [self._predict(view) for view in looks(crops)]
        return {name: np.mean([answer[name] for answer in answers], axis=0) for name in answers[0]}

    def _predict(self, crops: ImageArray) -> dict[str, FloatArray]:
        """crops (N, S, S, 3) → rows (N, L) per head."""
        manifest = self._bundle.manifest
        features = self._engine.encode_frames(crops)  # (N, D)
        clip = self._engine.encode_clips(
            np.repeat(features[:, None], manifest.clip.frames, axis=1)
        )  # (N, T, D) → (N, C)
        context = np.repeat(clip[:, None], manifest.context.clips, axis=1)  # (N, K, C)
        valid = np.zeros(context.shape[:2], np.bool_)
        valid[:, manifest.context.past] = True
        return self._engine.run_heads(clip, context, valid)

    def _to_estimate(self, i: int, face: Face, quality: float, rows: dict[str, FloatArray]) -> Estimate:
        manifest = self._bundle.manifest
        is_usable = is_finite(rows) and (manifest.abstain is None or quality >= manifest.abstain.quality)
        affect = read_heads(manifest, rows, of="still") if is_usable else Affect()
        return Estimate(
            stream=STILL_STREAM,
            track=i,
            seq=i,
            t_capture_ns=0,
            t_publish_ns=0,
            pts_s=None,
            valence=affect.valence,
            arousal=affect.arousal,
            valence_interval=affect.valence_interval,
            arousal_interval=affect.arousal_interval,
            status="ok" if is_usable else "abstain",
            coverage=1.0,
            context_fill=1 / manifest.context.clips,
            lookahead_s=0.0,
            refines=None,
            box=face.box,
            face_score=face.score,
            quality=quality,
            outputs=affect.outputs,
            model=manifest.label,
        )


@lru_cache(maxsize=2)
def _still_analyser(folder: Path | None, engine: str) -> _StillAnalyser:
    """Loaded once, since a caller may go through thousands of pictures."""
    bundle = load_bundle(folder)
    return _StillAnalyser(bundle, open_engine(bundle, engine))


def _loaded(bundle: BundleLike) -> Bundle:
    return bundle if isinstance(bundle, Bundle) else load_bundle(bundle)


def _sections(settings: dict[str, object]) -> dict[str, dict[str, object]]:
    sections: dict[str, dict[str, object]] = {}
    for name, values in settings.items():
        if not isinstance(values, dict):
            raise ConfigError(f"analyze: {name}={values!r}: settings come by section, e.g. faces={{'min_score': 0.6}}")
        sections[name] = values
    return sections


def _checked_box(box: Sequence[float]) -> Box:
    values = [float(value) for value in box]
    if len(values) != 4 or not all(np.isfinite(values)) or values[2] <= 0 or values[3] <= 0:
        raise ConfigError(
            f"boxes: {list(box)} is not (x, y, w, h) in shares of the picture with positive width and height"
        )
    return Box(*values)
