"""What `train personalise` and the runtime's own verb change for people whom the bundle has never seen.

Of each person in the splits `valid` and `report` the first half of the footage adapts the bundle, without labels, and
the second half is scored before and after, against the teacher's labels. Settings are chosen on `valid`; `report` tells
what that choice is worth. Where too few clips are judged with confidence the base stays, as both verbs would refuse.

    python benchmarks/methods/personalisation.py --data faces
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import msgspec
import numpy as np
import torch
from rich.console import Console

from benchmarks.measures.agreement import Measured, ccc, lost_ccc, mean, measure
from benchmarks.measures.face_data import Clip, TeacherRow, read_clips, read_people
from benchmarks.measures.report import Row, show, write
from streamaffect.errors import ConfigError, RecordingError, StreamAffectError
from streamaffect.personal.adaptation import adapt, affect_head, predict
from streamaffect.personal.clips import PersonClips as RuntimeClips
from streamaffect.personal.sources import read_sources
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import CONTEXT_HEAD
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from train.bundle.source_statistics import SourceStatistics, read_statistics
from train.loop.progress import Progress
from train.methods.subject_msda.personal.adaptation import Adaptation
from train.methods.subject_msda.personal.bundle import widened_quantiles
from train.methods.subject_msda.personal.differentiable_graph import DifferentiableGraph
from train.methods.subject_msda.personal.footage import Footage, PersonClips, Shot, person_clips, read_footage
from train.methods.subject_msda.personal.recipe import PersonaliseSettings
from train.methods.subject_msda.personal.run import LEAST_LABELS, emotions_head

PEOPLE = Path(__file__).parents[2] / "configs" / "train" / "relational" / "default_people.csv"
AFFECT, OUTPUTS = "affect", ("valence", "arousal")
DEFAULT = PersonaliseSettings()
RUNTIME = "streamaffect personalise"
SETTINGS = {
    "default": DEFAULT,
    "without the discrepancy": msgspec.structs.replace(DEFAULT, weight=0.0),
    "discrepancy alone": msgspec.structs.replace(DEFAULT, pseudo=0.0),
    "three times the drift's weight": msgspec.structs.replace(DEFAULT, drift=3.0),
    "threshold 0.9 as published": msgspec.structs.replace(DEFAULT, threshold=0.9),
    "affine": msgspec.structs.replace(DEFAULT, adapter="affine", lr=0.003),
}


@dataclass(frozen=True, slots=True)
class Person:
    """first, second: clips of the halves of the footage; truth: (N, 2) of the second, NaN where it has no label."""

    name: str
    split: str
    first: PersonClips
    second: PersonClips
    truth: np.ndarray


@dataclass(frozen=True, slots=True)
class Scored:
    """The labelled clips of a second half. before, after, truth: (N, 2); inside_*: (N, 2) bool, of the intervals."""

    person: str
    adapted: bool
    before: np.ndarray
    after: np.ndarray
    truth: np.ndarray
    inside_before: np.ndarray
    inside_after: np.ndarray


def main() -> None:
    """Adapt to everybody with every setting, print the table, write the JSON."""
    options = _options()
    torch.set_num_threads(1)
    try:
        bundle = load_bundle(options.bundle)
        people = read_everybody(options.data, bundle, options.least)
        if not people:
            raise ConfigError(f"--data {options.data}: no clip of the splits valid and report in videos/; it needs "
                              "videos.csv and videos_teacher.csv")  # fmt: skip
        sources = read_statistics(bundle, emotions_head(bundle).name)
    except StreamAffectError as error:
        raise SystemExit(f"personalisation: {error}") from None
    rows: list[Row] = []
    for name, settings in SETTINGS.items():
        rows += by_split(name, people, partial(score, bundle, sources, settings))
    rows += by_split(RUNTIME, people, partial(score_of_runtime, bundle))
    shown = ("setting", "split", "output", "people_worse", "mae_change", "mae_change_95", "ccc_gain", "ccc_gain_95")
    show(f"personalisation of {bundle.manifest.label}", [{name: str(row[name]) for name in shown} for row in rows])
    print(write("personalisation", rows, options.out))


def read_everybody(root: Path, bundle: Bundle, least: int) -> list[Person]:
    """The people of the splits valid and report with at least `least` crops, in alone-standing footage."""
    console, engine = Console(), OnnxRuntimeEngine(bundle)
    by_person: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    clips = read_clips(root, read_people(PEOPLE), lambda line: console.print(f"skipped: {line}", highlight=False))
    for clip in clips or []:
        if clip.split in ("valid", "report"):
            by_person[clip.split, clip.person].append(clip)
    people = []
    with Progress(console) as progress:
        for (split, name), theirs in sorted(by_person.items()):
            shots, labels = [], {clip.file: clip.rows for clip in theirs}
            for clip in theirs:
                try:
                    shots += read_footage(clip.file, bundle, engine, progress).shots
                except StreamAffectError as error:
                    console.print(f"skipped: {error}", highlight=False)
            crops = sum(len(part.time_s) for part in shots)
            if crops >= least:
                first, second = (_part(shots, *range_) for range_ in ((0, crops // 2), (crops // 2, crops)))
                truth = _truth(second, labels, bundle.manifest.clip.period_s / 2)
                halves = [person_clips(half, bundle, engine) for half in (first, second)]
                people.append(Person(name, split, halves[0], halves[1], truth))
    return people


def by_split(setting: str, people: list[Person], scored: Callable[[Person], Scored]) -> list[Row]:
    """The figures of the people of either split, and of all."""
    each = {one.name: (one.split, scored(one)) for one in people}
    rows: list[Row] = []
    for split in ("valid", "report", "all"):
        chosen = [found for of, found in each.values() if split in (of, "all")]
        if chosen:
            rows += figures(setting, split, chosen)
    return rows


def score(bundle: Bundle, sources: SourceStatistics | None, settings: PersonaliseSettings, person: Person) -> Scored:
    """Adapt on the first half, predict the second before and after."""
    heads = DifferentiableGraph(bundle.graph_path(CONTEXT_HEAD))
    learn = Adaptation(person.first, heads, emotions_head(bundle).name, sources, settings)
    adapted = learn.run()
    is_adapted = len(adapted.kept.indices) >= LEAST_LABELS
    mapping = adapted.person if is_adapted else None
    later = replace(learn, clips=person.second)
    before, after = later.predict(None), later.predict(mapping)
    wide = widened_quantiles(bundle.manifest, learn.predict(None), learn.predict(mapping))
    head = bundle.manifest.head(AFFECT)
    assert head is not None and head.calibration is not None
    spread = head.calibration.spread
    labelled = np.isfinite(person.truth).all(axis=1)
    truth = person.truth[labelled]
    pair = [out[AFFECT].clamp(-1, 1).double().numpy()[labelled] for out in (before, after)]
    inside = [
        np.abs(pred - truth) <= out[spread].numpy()[labelled] * np.array([quantile[name] for name in OUTPUTS])
        for pred, out, quantile in zip(pair, (before, after), (head.calibration.quantiles, wide[AFFECT]), strict=True)
    ]
    return Scored(person.name, is_adapted, pair[0], pair[1], truth, inside[0], inside[1])


def score_of_runtime(bundle: Bundle, person: Person) -> Scored:
    """The same of `streamaffect personalise`, which learns in numpy from the discrepancy alone."""
    engine, sources = OnnxRuntimeEngine(bundle), read_sources(bundle)
    head = affect_head(bundle)
    calibration = head.calibration
    assert calibration is not None  # `affect_head` has seen to it
    shift, wide, is_adapted = np.zeros(bundle.clip_dim, np.float32), dict(calibration.quantiles), True
    try:
        adapted = adapt(_of_runtime(person.first), bundle, engine, sources)
        shift, wide = adapted.shift, adapted.quantiles
    except RecordingError:
        is_adapted = False
    labelled = np.isfinite(person.truth).all(axis=1)
    truth = person.truth[labelled]
    second = _of_runtime(person.second)
    outs = [predict(second, engine, moved) for moved in (np.zeros_like(shift), shift)]
    pair = [out[head.name].clip(-1, 1).astype(np.float64)[labelled] for out in outs]
    inside = [
        np.abs(pred - truth) <= out[calibration.spread][labelled] * np.array([quantile[name] for name in OUTPUTS])
        for pred, out, quantile in zip(pair, outs, (calibration.quantiles, wide), strict=True)
    ]
    return Scored(person.name, is_adapted, pair[0], pair[1], truth, inside[0], inside[1])


def _of_runtime(clips: PersonClips) -> RuntimeClips:
    plain, mirrored, valid, rows = (one.numpy() for one in (clips.plain, clips.mirrored, clips.valid, clips.context))
    return RuntimeClips(plain, plain[rows], valid, mirrored, mirrored[rows])


def figures(setting: str, split: str, scored: list[Scored]) -> list[Row]:
    """One row per output: error and concordance before and after, their change over people, and coverage."""
    rows: list[Row] = []
    groups = [one.person for one in scored for _ in one.truth]
    for column, output in enumerate(OUTPUTS):
        before, after, truth = (
            np.concatenate([getattr(one, name)[:, column] for one in scored]) for name in ("before", "after", "truth")
        )
        errors = [
            np.array([np.abs(getattr(one, side)[:, column] - one.truth[:, column]).mean() for one in scored])
            for side in ("before", "after")
        ]
        change = measure(mean, [one.person for one in scored], errors[1] - errors[0])
        gain = measure(_gain, groups, before, after, truth)
        rows.append(
            {
                "setting": setting,
                "split": split,
                "output": output,
                "people": len(scored),
                "adapted": sum(one.adapted for one in scored),
                "mae_before": round(float(errors[0].mean()), 4),
                "mae_change": round(change.value, 4),
                "mae_change_95": _bounds(change),
                "people_worse": int((errors[1] > errors[0] + 1e-4).sum()),
                "ccc_before": round(ccc(before, truth), 4),
                "ccc_gain": round(gain.value, 4),
                "ccc_gain_95": _bounds(gain),
                "coverage_before": round(
                    float(np.concatenate([one.inside_before[:, column] for one in scored]).mean()), 3
                ),
                "coverage_after": round(
                    float(np.concatenate([one.inside_after[:, column] for one in scored]).mean()), 3
                ),
            }
        )
    return rows


def _gain(before: np.ndarray, after: np.ndarray, truth: np.ndarray) -> float:
    return -lost_ccc(before, after, truth)


def _bounds(measured: Measured) -> str:
    return f"{measured.low:+.4f} to {measured.high:+.4f}"


def _part(shots: list[Shot], first: int, end: int) -> Footage:
    """Crops `first` to `end`, counted over all shots."""
    parts, at = [], 0
    for part in shots:
        rows = slice(max(0, first - at), max(0, min(len(part.time_s), end - at)))
        at += len(part.time_s)
        if rows.stop > rows.start:
            parts.append(Shot(part.file, part.plain[rows], part.mirrored[rows], part.time_s[rows]))
    return Footage(parts, [])


def _truth(footage: Footage, labels: dict[Path, list[TeacherRow]], tolerance_s: float) -> np.ndarray:
    """(N, 2): for each crop the label that is nearest in time."""
    rows = []
    for part in footage.shots:
        times = np.array([row.time_s for row in labels[part.file]])
        for time_s in part.time_s.tolist():
            nearest = int(np.abs(times - time_s).argmin())
            row = labels[part.file][nearest]
            near = abs(row.time_s - time_s) <= tolerance_s + 1e-3
            rows.append((row.valence, row.arousal) if near else (np.nan, np.nan))
    return np.array(rows, np.float64)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with videos/")
    parser.add_argument("--bundle", type=Path, help="folder of a bundle (default: the shipped one)")
    parser.add_argument("--least", type=int, default=50, help="crops of a person below which it is left out")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/personalisation.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
