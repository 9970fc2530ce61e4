"""What a baseline changes: how far people's neutral faces lie apart, with it and without, and if a smile stands out.

DIR/london holds pairs of pictures, NNN_neutral.jpg and NNN_smiling.jpg (Face Research Lab London Set), DIR/videos clips
of faces. Of each person the neutral picture is the baseline. There is no second one, so it is tried on the same picture
in other light, focus and place: what is left between people then is the least that a second visit would leave. Of each
clip the first seconds are the baseline, where one is taken, and what follows is compared.

    python benchmarks/baseline.py --data DIR
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, pstdev

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.measures.report import Row, show, write
from streamaffect import analyze, analyze_image
from streamaffect.affect.baseline import HAPPINESS, SMILE, Baseline, judge
from streamaffect.errors import StreamAffectError
from streamaffect.messages import Estimate
from streamaffect.types import ImageArray

SECONDS = 2.0
SUFFIXES = {".mp4", ".mkv", ".mpg", ".gif", ".avi", ".mov"}
DIMENSIONS = ("valence", "arousal")


@dataclass(frozen=True, slots=True)
class Pair:
    """One person: valence and arousal of the neutral picture, of the same changed, and of the smile, (2,) each."""

    neutral: Estimate
    changed: Estimate
    smile: Estimate


def changed(image: ImageArray) -> ImageArray:
    """Darker, with less contrast, a little out of focus, turned by two degrees and moved."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 2.0, 0.95)
    turn[:, 2] += 0.02 * width
    moved = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.GaussianBlur(cv2.convertScaleAbs(moved, alpha=0.75, beta=-5), (0, 0), 1.5), np.uint8)


def largest(image: ImageArray) -> Estimate | None:
    """The estimate of the largest face."""
    return max(analyze_image(image), key=lambda estimate: estimate.box.w, default=None)


def read_pairs(folder: Path) -> list[Pair]:
    """Pairs in which every picture has a face."""
    pairs = []
    for path in track(sorted(folder.glob("*_neutral.jpg")), "pairs", console=Console(stderr=True)):
        neutral, smile = cv2.imread(str(path)), cv2.imread(str(path).replace("_neutral", "_smiling"))
        if neutral is None or smile is None:
            continue
        images = (np.asarray(neutral, np.uint8), changed(np.asarray(neutral, np.uint8)), np.asarray(smile, np.uint8))
        found = [largest(image) for image in images]
        if found[0] and found[1] and found[2]:
            pairs.append(Pair(found[0], found[1], found[2]))
    return pairs


def pair_rows(pairs: Sequence[Pair]) -> list[Row]:
    """Figures of each dimension, and how many would be refused as smiling."""
    rows: list[Row] = []
    for name in DIMENSIONS:
        neutral, again, smile = (
            np.array([getattr(getattr(pair, which), name) for pair in pairs])
            for which in ("neutral", "changed", "smile")
        )
        relative, rise = again - neutral, smile - neutral
        rows.append(
            {
                "data": "pairs",
                "dimension": name,
                "people": len(pairs),
                "neutral_spread": float(again.std()),
                "neutral_spread_relative": float(relative.std()),
                "smile_mean": float(smile.mean()),
                "smile_mean_relative": float(rise.mean()),
                "smiles_above_neutrals": float((smile > np.percentile(again, 95)).mean()),
                "smiles_above_neutrals_relative": float((rise > np.percentile(relative, 95)).mean()),
            }
        )
    refused = {
        which: sum(getattr(pair, which).outputs["emotions"][HAPPINESS] > SMILE for pair in pairs)
        for which in ("neutral", "smile")
    }
    return [*rows, {"data": "pairs", "refused_as_smiling": refused["smile"], "neutrals_refused": refused["neutral"]}]


@dataclass(frozen=True, slots=True)
class Course:
    """What follows the baseline in one clip: the median estimate, and the same relative to the baseline, (2,) each."""

    raw: tuple[float, float]
    relative: tuple[float, float]


def read_clip(path: Path, seconds: float) -> Course | str:
    """The course of the largest face; or why its baseline was refused."""
    estimates = [estimate for estimate in analyze(path) if estimate.status == "ok" and estimate.refines is None]
    tracks = Counter(estimate.track for estimate in estimates)
    if not tracks:
        return "none is ok"
    face = [estimate for estimate in estimates if estimate.track == tracks.most_common(1)[0][0]]
    until_ns = face[0].t_capture_ns + round(seconds * 1e9)
    first, rest = ([one for one in face if (one.t_capture_ns <= until_ns) == is_first] for is_first in (True, False))
    found = judge(first, seconds)
    if not isinstance(found, Baseline):
        return found.reason.partition(":")[0].partition(" (")[0]
    if len(rest) < 10:
        return "nothing follows"
    raw = median(one.valence or 0.0 for one in rest), median(one.arousal or 0.0 for one in rest)
    return Course(raw, (raw[0] - found.valence.mean, raw[1] - found.arousal.mean))


def clip_rows(folder: Path, seconds: float) -> list[Row]:
    """Figures of each dimension over the clips with a baseline, and why the others have none."""
    courses, refused = [], Counter[str]()
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    for path in track(paths, "clips", console=Console(stderr=True)):
        try:
            found = read_clip(path, seconds)
        except StreamAffectError as error:
            found = type(error).__name__
        if isinstance(found, Course):
            courses.append(found)
        else:
            refused[found] += 1
    rows: list[Row] = [
        {
            "data": "clips",
            "dimension": name,
            "clips": len(courses),
            "spread": pstdev(course.raw[at] for course in courses),
            "spread_relative": pstdev(course.relative[at] for course in courses),
            "mean_relative": fmean(course.relative[at] for course in courses),
        }
        for at, name in enumerate(DIMENSIONS)
        if len(courses) > 1
    ]
    return [*rows, {"data": "clips", **{f"refused: {reason}": count for reason, count in refused.items()}}]


def main() -> None:
    """Measure what is there, show it and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each clip; default: %(default)s")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/baseline.json")
    options = parser.parse_args()
    rows: list[Row] = []
    if (options.data / "london").is_dir():
        rows += pair_rows(read_pairs(options.data / "london"))
    if (options.data / "videos").is_dir():
        rows += clip_rows(options.data / "videos", options.seconds)
    if not rows:
        parser.error(f"{options.data}: has neither a folder london nor a folder videos")
    for columns in dict.fromkeys(tuple(row) for row in rows):
        show(str(columns[0]), [row for row in rows if tuple(row) == columns])
    print(write("baseline", rows, options.out))


if __name__ == "__main__":
    main()
