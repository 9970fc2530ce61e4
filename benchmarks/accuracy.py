"""Accuracy of a bundle through the code that streams: `analyze_image` on pictures, `analyze` on clips.

DIR holds any of `ferplus/` (npz of pictures and votes), `london/` (pairs of a neutral and a smiling picture) and
`videos/` (clips with `videos_teacher.csv`); what is absent is left out and said. Intervals are 95 % bootstrap intervals
over pictures, persons or clips.

    python benchmarks/accuracy.py --data DIR --people configs/train/default_people.csv --split report
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from picture_changes import CHANGES
from report import show, write
from scores import accuracy, ccc, mean, mean_recall, median, pcc

from streamaffect import Bundle, Estimate, analyze, analyze_image, load_bundle
from streamaffect.types import ImageArray

Array = npt.NDArray[np.float64]
Row = dict[str, object]
Metric = Callable[[Array, Array], float]

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
PUBLIC_TEST = 1
NEUTRAL = [1.0] + [0.0] * 7  # what counts where the stream abstains
WHOLE = [(0.0, 0.0, 1.0, 1.0)]
RESAMPLES = 500
NEAR_S = 0.02  # between the time of an estimate and that of a teacher's row
MOVING = 0.05  # standard deviation of valence from which a clip counts for the correlation inside it


@dataclass(frozen=True, slots=True)
class Scored:
    """Predictions of FER+ pictures: emotions (N, 8), affect (N, 2), interval hits (M, 2) of unmirrored ones."""

    emotions: Array
    affect: Array
    inside: Array


def main() -> None:
    """Score what the folder holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds ferplus/, london/ or videos/")
    parser.add_argument("--bundle", type=Path, help="folder of a bundle (default: the shipped one)")
    parser.add_argument("--engine", default="auto", help="backend (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="only so many FER+ pictures, evenly spread")
    parser.add_argument("--people", type=Path, help="CSV of file, person, split for the clips")
    parser.add_argument("--split", default="report", help="split of --people that is scored (default: %(default)s)")
    parser.add_argument("--robustness", action="store_true", help="also score changed FER+ pictures")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/accuracy.json)")
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    rows: list[Row] = []
    if file := _first(options.data / "ferplus", "*.npz", has="votes"):
        rows += ferplus_rows(file, bundle, options.engine, options.limit, with_changes=options.robustness)
    if (options.data / "london").is_dir():
        rows += london_rows(options.data / "london", bundle, options.engine)
    if (options.data / "videos" / "videos_teacher.csv").is_file():
        files = _files_of_split(options.people, options.split)
        rows += video_rows(options.data / "videos", bundle, options.engine, files)
    for part in ("ferplus", "london", "videos"):
        if not any(str(row["data"]).startswith(part) for row in rows):
            print(f"{part}: not in {options.data}, left out")
    if rows:
        show(f"accuracy of {bundle.manifest.label}", rows)
        print(write("accuracy", rows, options.out))


def ferplus_rows(file: Path, bundle: Bundle, engine: str, limit: int | None, *, with_changes: bool) -> list[Row]:
    """Accuracy and recall where most voters agree, and concordance with the votes' valence and arousal."""
    pictures, votes = _read_ferplus(file, limit)
    shares = votes[:, : len(EMOTIONS)]
    truth = _project(shares / shares.sum(axis=1, keepdims=True))
    clear = shares.max(axis=1) > 0.5 * votes.sum(axis=1)
    found = _score_pictures(pictures, truth, bundle, engine)
    guess, label = found.emotions.argmax(axis=1).astype(float), shares.argmax(axis=1).astype(float)
    rows = [
        _row("ferplus", "accuracy, clear majorities", accuracy, guess[clear], label[clear]),
        _row("ferplus", "mean recall, clear majorities", mean_recall, guess[clear], label[clear]),
        _row("ferplus", "CCC valence", ccc, found.affect[:, 0], truth[:, 0]),
        _row("ferplus", "CCC arousal", ccc, found.affect[:, 1], truth[:, 1]),
        _row("ferplus", "coverage of 90 % intervals, valence", mean, found.inside[:, 0], found.inside[:, 0]),
        _row("ferplus", "coverage of 90 % intervals, arousal", mean, found.inside[:, 1], found.inside[:, 1]),
    ]
    for number in map(int, np.unique(label[clear])):
        seen = (guess[clear][label[clear] == number] == number).astype(float)
        rows.append(_row("ferplus", f"recall {EMOTIONS[number]}", mean, seen, seen))
    for name, change in CHANGES.items() if with_changes else ():
        changed = _score_pictures([change(picture) for picture in pictures], truth, bundle, engine)
        for column, output in enumerate(("valence", "arousal")):
            rows.append(_row(f"ferplus, {name}", f"CCC {output}", ccc, changed.affect[:, column], truth[:, column]))
    return rows


def london_rows(folder: Path, bundle: Bundle, engine: str) -> list[Row]:
    """Share of persons whose smile is above their neutral face in valence."""
    gains = []
    for smiling in sorted(folder.glob("*_smiling.jpg")):
        neutral = smiling.with_name(smiling.name.replace("_smiling", "_neutral"))
        values = [_valence(_read(path), bundle, engine) for path in (neutral, smiling)]
        if None in values:
            print(f"{smiling.name}: no face or no value in one of the two pictures; counts as wrong")
        gains.append(-1.0 if values[0] is None or values[1] is None else values[1] - values[0])
    gain = np.array(gains)
    above = (gain > 0).astype(float)
    return [
        _row("london", "smile above neutral", mean, above, above),
        _row("london", "median gain of valence", median, gain, gain),
    ]


def video_rows(folder: Path, bundle: Bundle, engine: str, files: set[str] | None) -> list[Row]:
    """Concordance of valence and arousal with the teacher's, over the clips of a split."""
    truth: list[Array] = []
    found: list[Array] = []
    hits: list[Array] = []
    for name, rows in _teacher(folder).items():
        if files is not None and name not in files:
            continue
        pairs = [(row, estimate) for row, estimate in _aligned(folder / name, rows, bundle, engine)]
        if len(pairs) > 1:
            truth.append(np.array([[float(row["valence"]), float(row["arousal"])] for row, _ in pairs]))
            found.append(np.array([[estimate.valence, estimate.arousal] for _, estimate in pairs], float))
            hits.append(
                np.array([_is_inside(estimate, row) for (_, estimate), row in zip(pairs, truth[-1], strict=True)])
            )
    if not truth:
        return []
    rows_out = []
    for column, output in enumerate(("valence", "arousal")):
        rows_out.append(_clip_row(f"CCC {output} to the teacher", ccc, found, truth, column))
        rows_out.append(_clip_row(f"coverage of 90 % intervals, {output}", mean, hits, hits, column))
    inside = np.array([pcc(a[:, 0], b[:, 0]) for a, b in zip(found, truth, strict=True) if b[:, 0].std() > MOVING])
    return [*rows_out, _row("videos", "median correlation inside a moving clip, valence", median, inside, inside)]


def _score_pictures(pictures: list[ImageArray], truth: Array, bundle: Bundle, engine: str) -> Scored:
    """Each picture as cut in the data set, averaged with its mirror image."""
    emotions, affect, inside = [], [], []
    for picture, labels in zip(pictures, truth, strict=True):
        sides = [
            analyze_image(side, boxes=WHOLE, bundle=bundle, engine=engine)[0] for side in (picture, picture[:, ::-1])
        ]
        usable = [side for side in sides if side.valence is not None]
        shares = [[side.outputs["emotions"][name] for name in EMOTIONS] for side in usable] or [NEUTRAL]
        emotions.append(np.mean(shares, axis=0))
        affect.append(np.mean([[side.valence, side.arousal] for side in usable] or [[0.0, 0.0]], axis=0))
        inside.append(_is_inside(sides[0], labels))
    return Scored(np.array(emotions), np.array(affect), np.array(inside))


def _is_inside(estimate: Estimate, labels: Array) -> list[float]:
    intervals = (estimate.valence_interval, estimate.arousal_interval)
    return [
        float(interval is not None and interval[0] <= value <= interval[1])
        for interval, value in zip(intervals, labels.tolist(), strict=True)
    ]


def _valence(image: ImageArray, bundle: Bundle, engine: str) -> float | None:
    """Of the largest face; None without a face."""
    faces = analyze_image(image, bundle=bundle, engine=engine)
    return faces[0].valence if faces else None


def _aligned(
    video: Path, rows: list[dict[str, str]], bundle: Bundle, engine: str
) -> Iterator[tuple[dict[str, str], Estimate]]:
    """The estimate at the time of each of the teacher's rows whose box covers the same face best."""
    by_time: dict[float, list[Estimate]] = defaultdict(list)
    for estimate in analyze(video, bundle=bundle, engine=engine):
        if estimate.valence is not None and estimate.status in ("ok", "warming"):
            by_time[estimate.pts_s or 0.0].append(estimate)
    times = np.array(sorted(by_time))
    for row in rows:
        nearest = times[np.abs(times - float(row["time"])).argmin()] if len(times) else np.inf
        if abs(nearest - float(row["time"])) <= NEAR_S:
            yield row, min(by_time[float(nearest)], key=lambda estimate: _distance(estimate, row))


def _distance(estimate: Estimate, row: dict[str, str]) -> float:
    """Between the centres of the two boxes."""
    x, y = (float(row["x0"]) + float(row["x1"])) / 2, (float(row["y0"]) + float(row["y1"])) / 2
    box = estimate.box
    return float(np.hypot(box.x + box.w / 2 - x, box.y + box.h / 2 - y))


def _read_ferplus(file: Path, limit: int | None) -> tuple[list[ImageArray], Array]:
    """PublicTest where the file has such a split, else everything; without pictures that most could not name."""
    with np.load(file, allow_pickle=False) as arrays:
        data, offsets, votes = arrays["webp"], arrays["offsets"], arrays["votes"].astype(float)
        split = arrays["split"] if "split" in arrays.files else np.full(len(votes), PUBLIC_TEST)
    wanted = split == PUBLIC_TEST if (split == PUBLIC_TEST).any() else np.ones(len(votes), bool)
    rows = np.flatnonzero(wanted & (votes[:, : len(EMOTIONS)].sum(axis=1) > 0.5 * votes.sum(axis=1)))
    if limit is not None:
        rows = rows[np.linspace(0, len(rows) - 1, min(limit, len(rows))).astype(int)]
    pictures = [cv2.imdecode(data[offsets[row] : offsets[row + 1]], cv2.IMREAD_COLOR) for row in rows]
    return [np.asarray(picture, np.uint8) for picture in pictures], votes[rows]


def _project(shares: Array) -> Array:
    """Shares of the emotions → the valence and arousal of their words (Russell & Mehrabian 1977)."""
    table = [(0, 0), (0.81, 0.51), (0.4, 0.67), (-0.63, -0.27), (-0.51, 0.59), (-0.6, 0.35), (-0.64, 0.6), (-0.5, 0.25)]
    return np.asarray(shares @ np.array(table, float))


def _teacher(folder: Path) -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (folder / "videos_teacher.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["x0"] and row["valence"]:
                rows[row["file"]].append(row)
    return rows


def _files_of_split(people: Path | None, split: str) -> set[str] | None:
    if people is None:
        return None
    with people.open(newline="", encoding="utf-8") as lines:
        return {row["file"] for row in csv.DictReader(lines) if row["split"] == split}


def _first(folder: Path, pattern: str, *, has: str) -> Path | None:
    """The first file that holds an array of this name."""
    for file in sorted(folder.glob(pattern)):
        with np.load(file, allow_pickle=False) as arrays:
            if has in arrays.files and "webp" in arrays.files:
                return file
    return None


def _read(path: Path) -> ImageArray:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)


def _row(data: str, figure: str, metric: Metric, found: Array, truth: Array) -> Row:
    """A figure with its bootstrap interval over rows."""
    generator = np.random.default_rng(0)
    draws = (generator.integers(0, len(found), len(found)) for _ in range(RESAMPLES))
    low, high = np.quantile([metric(found[rows], truth[rows]) for rows in draws], (0.025, 0.975))
    return _figure(data, figure, metric(found, truth), (float(low), float(high)), len(found))


def _clip_row(figure: str, metric: Metric, found: list[Array], truth: list[Array], column: int) -> Row:
    """A figure over all rows of all clips, with its bootstrap interval over clips."""

    def score(clips: npt.NDArray[np.intp]) -> float:
        return metric(
            np.concatenate([found[clip][:, column] for clip in clips]),
            np.concatenate([truth[clip][:, column] for clip in clips]),
        )

    generator = np.random.default_rng(0)
    samples = [score(generator.integers(0, len(found), len(found))) for _ in range(RESAMPLES)]
    low, high = np.quantile(samples, (0.025, 0.975))
    return _figure("videos", figure, score(np.arange(len(found))), (float(low), float(high)), len(found))


def _figure(data: str, figure: str, value: float, interval: tuple[float, float], count: int) -> Row:
    low, high = interval
    return {
        "data": data,
        "figure": figure,
        "value": round(value, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "n": count,
    }


if __name__ == "__main__":
    main()
