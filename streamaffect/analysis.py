"""Affect of a file or a picture, as a plain function call. What runs is the code that streams."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np

from streamaffect.affect.still import StillAnalyser
from streamaffect.config import Config, load_config
from streamaffect.errors import ConfigError
from streamaffect.pipeline.opening import make_detector, open_streams
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.types import Box, Estimate, ImageArray

BundleLike = Bundle | str | Path | None


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
    analyser = _still_analyser(None if folder is None else Path(folder), engine)
    return analyser.estimate(image, None if boxes is None else [_checked_box(box) for box in boxes])


@lru_cache(maxsize=2)
def _still_analyser(folder: Path | None, engine: str) -> StillAnalyser:
    """Loaded once, since a caller may go through thousands of pictures."""
    bundle = load_bundle(folder)
    running, detector = open_engine(bundle, engine), make_detector(Config(), mode="image")
    # MediaPipe closes on a pool's thread, and complains on standard error if no pool takes work any more: `atexit`
    # comes after the end of all pools, this hook of theirs before.
    threading._register_atexit(detector.close)  # type: ignore[attr-defined]
    return StillAnalyser(bundle, running, detector)


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
