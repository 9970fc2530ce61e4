"""Affect of a file or a picture, as a plain function call. What runs is the code that streams."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path

import numpy as np

from streamaffect.affect.explanation import METHODS, OUTPUT_OF, Method
from streamaffect.affect.still import StillAnalyser
from streamaffect.config import Config, load_config
from streamaffect.errors import ConfigError, LensError
from streamaffect.faces.survey import Cures, why_none
from streamaffect.lenses.aside import close_lens
from streamaffect.messages import Estimate
from streamaffect.pipeline.at_exit import close_at_exit
from streamaffect.pipeline.opening import (
    engine_after,
    make_detector,
    open_lens_parts,
    open_stream_engine,
    open_streams,
)
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.settings import EngineSettings, LensSettings
from streamaffect.text.opening import lenses_for, open_describer
from streamaffect.types import Box, ImageArray

log = logging.getLogger(__name__)

BundleLike = Bundle | str | Path | None
EngineLike = str | Mapping[str, object]
Lenses = str | Sequence[str]


def analyze(
    source: str | Path,
    *,
    bundle: BundleLike = None,
    engine: EngineLike = "auto",
    lenses: Lenses = (),
    **settings: object,
) -> Iterator[Estimate]:
    """Run the offline pipeline over a video file: every frame, in order, as fast as it goes.

    source:   path of a file
    bundle:   folder or loaded bundle; None is the shipped one
    engine:   "auto", a backend's name, or a section: {"precision": "fp32"} gives the same numbers on every machine
    lenses:   further outputs, as --lens: ["units", "mine=path/to/folder"], or "all"
    settings: sections of the configuration, e.g. faces={"min_score": 0.6}

    Yields the estimates of all faces in the order of time. Raises SourceOpenError, BundleError (LensError is one),
    EngineError or ConfigError at the first estimate that is asked for.
    """
    loaded = _loaded(bundle)
    config = load_config(flags=_with_lenses(_sections(settings), lenses) | {"engine": _engine_section(engine)})
    parts = open_lens_parts(loaded, lenses_for(config, loaded))
    with ExitStack() as stack:
        for part in parts:
            stack.callback(close_lens, part)
        running = stack.enter_context(closing(open_stream_engine(loaded, config.engine)))
        streams = open_streams([str(source)], config, loaded)
        max_seconds = config.run.max_seconds or None
        pipeline = Pipeline(
            streams,
            loaded,
            running,
            settings=config.source,
            max_seconds=max_seconds,
            reopen=engine_after(loaded, config.engine),
            patience_s=config.run.patience_s,
            lenses=parts,
            cap_fps=config.run.analysis_fps or None,
        )
        if pipeline.is_live:
            streams[0].close()
            raise ConfigError(
                f"analyze reads files, {str(source)!r} is live; run the stream and use streamaffect.Subscriber"
            )
        names = [stream.name for stream in streams]
        try:
            describer = open_describer(config.describe, names, pipeline.lengths_s, stack, is_live=False)
        except BaseException:
            streams[0].close()
            raise
        with closing(pipeline.messages()) as messages:
            told = chain(pipeline.metas, messages)
            for message in told if describer is None else describer.apply(told):
                if isinstance(message, Estimate):
                    yield message
        for remark in pipeline.remarks:
            log.warning(remark)


def analyze_image(
    image: ImageArray,
    *,
    boxes: Sequence[Sequence[float]] | None = None,
    bundle: BundleLike = None,
    engine: EngineLike = "auto",
    lenses: Lenses = (),
    prompts: str = "",
    explain: bool | Method = False,
) -> list[Estimate]:
    """Estimate every face of a still, taken as a clip of equal frames without any context before it.

    Each face is looked at as it is and a little closer, each also mirrored, and the four answers are averaged.

    image: (H, W, 3) uint8 BGR
    boxes: faces as (x, y, w, h) in shares of the picture; skips detection. The bundle's margin is added as far as the
           picture has room, so the box (0, 0, 1, 1) takes a picture that is a face crop as it is.
    engine: as for `analyze`
    lenses: further outputs, as for `analyze`; they look at the picture as it is, once
    prompts: sentences to look for, as --prompts: "she is beaming; about to cry", or a file of them
    explain: True or "distilled" adds outputs["map"], 8 x 8 cells that say in one look where hiding the face would take
           the answer away; "occlusion" measures that, as outputs["occlusion"], for sixty times the cost; "aligned" adds
           the textbook's overlay, outputs["aligned"]. `draw_explanation` draws them over the picture

    Returns one estimate per face, the largest first, or in the order of `boxes`; an empty list where there is no face.
    Faces below about a tenth of the picture are passed over. Why there is none is logged, of the first such picture.
    """
    found, empty = estimate_faces(
        image, boxes=boxes, bundle=bundle, engine=engine, lenses=lenses, prompts=prompts, explain=explain
    )
    if not found and boxes is None and empty == 1:
        why = why_no_face(image, Cures("cut out the part with {them}, or give boxes", "turn the picture"))
        log.warning("no face was found: %s (only said of the first such picture)", why)
    return found


def estimate_faces(
    image: ImageArray,
    *,
    boxes: Sequence[Sequence[float]] | None = None,
    bundle: BundleLike = None,
    engine: EngineLike = "auto",
    lenses: Lenses = (),
    prompts: str = "",
    explain: bool | Method = False,
) -> tuple[list[Estimate], int]:
    """What `analyze_image` gives, and in how many pictures there was no face so far, this one included."""
    _check_image(image)
    folder = bundle.path if isinstance(bundle, Bundle) else bundle
    method = _checked_method(explain)
    words = _words(lenses) + _lens_of(method, _words(lenses))
    config = load_config(flags=_with_lenses({"engine": _engine_section(engine)}, words))
    try:
        analyser = _still_analysers(os.getpid())(
            None if folder is None else Path(folder), config.engine, tuple(config.lens.use), prompts
        )
    except LensError as error:
        if method is None or method == "occlusion":
            raise
        raise LensError(f'{error}; explain="occlusion" works with any bundle that names classes') from error
    places = None if boxes is None else [_checked_box(box) for box in boxes]
    found = analyser.estimate(image, places, occlusion=_head_of(analyser) if method == "occlusion" else None)
    return found, analyser.empty


def why_no_face(image: ImageArray, cures: Cures) -> str:
    """Why `analyze_image` finds no face in a picture, for people."""
    return why_none([image], Config().faces, cures)


@cache
def _still_analysers(process: int) -> Callable[..., StillAnalyser]:  # noqa: ARG001
    """Those of one process, each loaded once, since a caller may go through thousands of pictures.

    A forked process loads its own: the threads behind a detector and an engine stay in the parent. What it has from the
    parent stays here untouched, because closing it would wait for those threads for ever.
    """
    return lru_cache(maxsize=2)(_open_still_analyser)


def _open_still_analyser(
    folder: Path | None, settings: EngineSettings, lenses: tuple[str, ...], prompts: str
) -> StillAnalyser:
    bundle = load_bundle(folder)
    parts = open_lens_parts(bundle, LensSettings(use=list(lenses), prompts=prompts), of="still")
    running = open_engine(bundle, settings.backend, precision=settings.precision, threads=settings.threads)
    detector = make_detector(Config(), mode="image")
    close_at_exit(detector)
    return StillAnalyser(bundle, running, detector, parts)


def _checked_method(explain: object) -> Method | None:
    if isinstance(explain, bool):
        return METHODS[0] if explain else None
    for method in METHODS:
        if explain == method:
            return method
    raise ConfigError(f"explain: {explain!r} is none of True, False, {', '.join(METHODS)}")


def _lens_of(method: Method | None, words: Sequence[str]) -> tuple[str, ...]:
    """The lens that draws the map, unless it is asked for already, perhaps from another folder."""
    if method is None or method == "occlusion":
        return ()
    name = OUTPUT_OF[method]
    return () if any(word.partition("=")[0].strip() == name for word in words) else (name,)


def _head_of(analyser: StillAnalyser) -> str:
    for head in analyser.bundle.manifest.heads:
        if head.kind == "classification":
            return head.name
    raise ConfigError(
        f"explain: {analyser.bundle.manifest.label} has no head that names a class, which could be hidden"
    )


def _check_image(image: object) -> None:
    wanted = "image must be (H, W, 3) uint8 BGR, as cv2.imread gives it"
    if image is None:
        raise ConfigError(f"{wanted}; got None, which is what cv2.imread gives for a file that it cannot read")
    if isinstance(image, str | os.PathLike):
        raise ConfigError(f"{wanted}; got a path: read it with cv2.imread({str(image)!r}), or analyze a video")
    if not isinstance(image, np.ndarray):
        kind = type(image).__name__
        raise ConfigError(f"{wanted}; got {'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}: one picture at a time")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ConfigError(f"{wanted}; got {image.shape} {image.dtype}")


def _loaded(bundle: BundleLike) -> Bundle:
    return bundle if isinstance(bundle, Bundle) else load_bundle(bundle)


def _engine_section(engine: EngineLike) -> dict[str, object]:
    return {"backend": engine} if isinstance(engine, str) else dict(engine)


def _sections(settings: dict[str, object]) -> dict[str, dict[str, object]]:
    sections: dict[str, dict[str, object]] = {}
    for name, values in settings.items():
        if not isinstance(values, dict):
            raise ConfigError(f"analyze: {name}={values!r}: settings come by section, e.g. faces={{'min_score': 0.6}}")
        sections[name] = values
    return sections


def _words(lenses: Lenses) -> tuple[str, ...]:
    return tuple(lenses.split(",") if isinstance(lenses, str) else lenses)


def _with_lenses(sections: dict[str, dict[str, object]], lenses: Lenses) -> dict[str, dict[str, object]]:
    if not lenses:
        return sections
    return sections | {"lens": sections.get("lens", {}) | {"use": list(_words(lenses))}}


def _checked_box(box: Sequence[float]) -> Box:
    values = [float(value) for value in box]
    if len(values) != 4 or not all(np.isfinite(values)) or values[2] <= 0 or values[3] <= 0:
        raise ConfigError(
            f"boxes: {list(box)} is not (x, y, w, h) in shares of the picture with positive width and height"
        )
    return Box(*values)
