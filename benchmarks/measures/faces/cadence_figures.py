"""What it changes when the detector looks less often: the same clips at several cadences, against every frame.

The frames go through the face stage and the affect stage as in a stream, but in one thread.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from benchmarks.measures.agreement import lost_ccc, measure
from benchmarks.measures.clip_figures import MatchedClip, match
from benchmarks.measures.face_data import Clip
from benchmarks.measures.report import Row
from benchmarks.measures.still_figures import AFFECT
from streamaffect.affect.assemble import Assembler
from streamaffect.affect.estimate import Estimator
from streamaffect.config import Config, load_config
from streamaffect.errors import SourceEndedError, SourceError
from streamaffect.faces.boxes import iou
from streamaffect.faces.cadence.cadence import AT_MOST, AT_REST
from streamaffect.faces.detectors.detector import FaceDetector
from streamaffect.messages import Estimate
from streamaffect.pipeline.opening import make_detector, make_face_stage
from streamaffect.pipeline.stages import AffectStage
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.sources.parse import make_source
from streamaffect.types import Box, Face, Frame, ImageArray, Picture

SAME = 0.3  # overlap from which on two boxes are of one face
NAME = "clip"


@dataclass(frozen=True, slots=True)
class Pace:
    """A cadence to measure: what `faces.every` says, and whether there is too much to do."""

    name: str
    every: Literal["auto", 1, 2, 3, 4, 5]
    pressed: bool = False


EVERY_FRAME = Pace("1", 1)
PACES = (
    EVERY_FRAME,
    Pace(f"auto ({AT_REST})", "auto"),
    Pace(f"auto, overload ({AT_MOST})", "auto", pressed=True),
)


@dataclass(slots=True)
class Run:
    """One clip at one cadence. looks: how often the detector looked."""

    clip: Clip
    estimates: list[Estimate] = field(default_factory=list)
    frames: int = 0
    looks: int = 0

    @property
    def tracks(self) -> int:
        """Tracks that gave estimates."""
        return len({one.track for one in self.estimates})


@dataclass(frozen=True, slots=True)
class Difference:
    """Of estimates of one face at one time. affect (N, 2); centre (N,) in face sizes; box (N,) 1 - overlap."""

    affect: np.ndarray
    centre: np.ndarray
    box: np.ndarray
    missing: int


def run_clips(
    clips: Sequence[Clip], pace: Pace, bundle: Bundle, engine: Engine, advance: Callable[[], None]
) -> list[Run]:
    """Every clip that can be read, at this cadence."""
    runs = []
    for clip in clips:
        try:
            runs.append(_run(clip, pace, bundle, engine))
        except SourceError:
            continue  # `clip_figures` counts how many clips were used
        finally:
            advance()
    return runs


def row_of(pace: Pace, runs: Sequence[Run], usual: Sequence[Run]) -> Row:
    """The figures of a cadence. usual: the same clips with a look in every frame."""
    found = [_compare(one, other) for one, other in zip(usual, runs, strict=True)]
    affect, centre, box = (
        np.concatenate([getattr(one, name) for one in found]) for name in ("affect", "centre", "box")
    )
    frames = sum(run.frames for run in runs)
    missing, wanted = sum(one.missing for one in found), sum(len(run.estimates) for run in usual)
    return {
        "faces.every": pace.name,
        "looks a frame": round(sum(run.looks for run in runs) / frames, 3),
        "valence: mean difference": round(float(affect[:, 0].mean()), 4),
        "99 %": round(float(np.quantile(affect[:, 0], 0.99)), 3),
        "worst": round(float(affect[:, 0].max()), 3),
        "box: median shift, in faces": round(float(np.median(centre)), 4),
        "99 % of shifts": round(float(np.quantile(centre, 0.99)), 3),
        "1 - overlap": round(float(box.mean()), 4),
        "estimates lost": round(missing / wanted, 4),
        "tracks": sum(run.tracks for run in runs),
        **{f"CCC lost, {output}": _lost(runs, usual, column) for column, output in enumerate(AFFECT)},
    }


def _lost(runs: Sequence[Run], usual: Sequence[Run], column: int) -> str:
    """What is lost of the concordance with the teacher, over the rows that both have, and its 95 % interval."""
    pairs = [
        _common(match(run.clip, run.estimates), match(one.clip, one.estimates), column)
        for run, one in zip(runs, usual, strict=True)
    ]
    now, before, truth = (np.concatenate(columns) for columns in zip(*pairs, strict=True))
    groups = [run.clip.person for run, pair in zip(runs, pairs, strict=True) for _ in pair[0]]
    lost = measure(lost_ccc, groups, before, now, truth)
    return f"{lost.value:.4f} ({lost.low:.4f} to {lost.high:.4f})"


def _common(now: MatchedClip, before: MatchedClip, column: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    _, here, there = np.intersect1d(now.at, before.at, return_indices=True)
    return now.pred[here, column], before.pred[there, column], now.truth[here, column]


def _compare(usual: Run, run: Run) -> Difference:
    at_time: dict[int, list[Estimate]] = {}
    for one in run.estimates:
        at_time.setdefault(one.t_capture_ns, []).append(one)
    pairs, missing = [], 0
    for one in usual.estimates:
        other = max(at_time.get(one.t_capture_ns, ()), key=lambda other: iou(one.box, other.box), default=None)
        if other is None or iou(one.box, other.box) < SAME:
            missing += 1
        else:
            pairs.append((one, other))
    affect = [[abs(a - b) for a, b in zip(_affect(one), _affect(other), strict=True)] for one, other in pairs]
    return Difference(
        np.array(affect, np.float64).reshape(-1, 2),
        np.array([_apart(one.box, other.box) for one, other in pairs]),
        np.array([max(0.0, 1 - iou(one.box, other.box)) for one, other in pairs]),
        missing,
    )


def _affect(estimate: Estimate) -> tuple[float, float]:
    """NaN is never among them: estimates without values are left out when a clip is run."""
    return estimate.valence or 0.0, estimate.arousal or 0.0


def _apart(one: Box, other: Box) -> float:
    """Distance of two centres in sizes of the first box."""
    across = (one.x + one.w / 2 - other.x - other.w / 2) / one.w
    down = (one.y + one.h / 2 - other.y - other.h / 2) / one.h
    return float(np.hypot(across, down))


def _run(clip: Clip, pace: Pace, bundle: Bundle, engine: Engine) -> Run:
    config = load_config()
    config = msgspec.structs.replace(config, faces=msgspec.structs.replace(config.faces, every=pace.every))
    run = Run(clip)
    counted = _Counted(make_detector(config, mode="video"), run)
    stage = make_face_stage(NAME, config, bundle, detector=counted)
    affect = AffectStage(Estimator(bundle, engine), {NAME: Assembler(NAME, bundle)})
    try:
        for frame in _frames(clip, config):
            run.frames += 1
            batch = [(NAME, stage.look(frame, pressed=pace.pressed))]
            run.estimates += [
                message
                for message in affect.messages(batch, affect.estimate(batch))
                if isinstance(message, Estimate) and message.valence is not None
            ]
    finally:
        stage.close()
    return run


def _frames(clip: Clip, config: Config) -> Iterator[Frame]:
    source = make_source(str(clip.file), settings=config.source)
    source.open()
    try:
        while True:
            yield source.read()
    except SourceEndedError:
        return
    finally:
        source.close()


class _Counted:
    """A detector that counts how often it is asked."""

    def __init__(self, detector: FaceDetector, run: Run) -> None:
        self._detector = detector
        self._run = run

    def detect(self, image: ImageArray | Picture, time_s: float) -> list[Face]:
        self._run.looks += 1
        return self._detector.detect(image, time_s)

    def close(self) -> None:
        self._detector.close()
