"""How well a bundle agrees with labels, measured on the code that streams.

The folder holds any of `ferplus/*.npz` (face crops with crowd votes), `london/` (neutral and smiling pairs) and
`videos/` (clips, `videos.csv` and a teacher's labels in `videos_teacher.csv`); parts that are absent are skipped.

    python benchmarks/accuracy.py --data faces
    python benchmarks/accuracy.py --data faces --bundle runs/mine/bundle --limit 500 --seed 1
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import streamaffect
from benchmarks.agreement import Measured
from benchmarks.clip_figures import clip_figures, match_clips
from benchmarks.degradations import DEGRADATIONS
from benchmarks.face_data import EMOTIONS, Clip, read_clips, read_crowd_faces, read_pairs, read_people
from benchmarks.report import Row, show, write
from benchmarks.still_figures import Figure, answer, crowd_figures, pair_figures, robustness_figures
from streamaffect.errors import ConfigError, StreamAffectError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import open_engine
from streamaffect.types import ImageArray

PEOPLE = Path(__file__).parent.parent / "configs" / "train" / "default_people.csv"
WHOLE = (0.0, 0.0, 1.0, 1.0)
ENCODER_CALLS = 200

Item = TypeVar("Item")

console = Console()


def main() -> None:
    """Measure, print the table, write the JSON."""
    options = _options()
    try:
        bundle = load_bundle(options.bundle)
        figures = measure_all(options, bundle)
    except StreamAffectError as error:
        raise SystemExit(f"accuracy: {error}") from None
    show(f"accuracy of {bundle.manifest.label}", [_shown(figure) for figure in figures])
    print(write("accuracy", [_row(figure) for figure in figures], options.out))


def measure_all(options: argparse.Namespace, bundle: Bundle) -> list[Figure]:
    """Every figure that the data and the bundle allow."""
    if not options.data.is_dir():
        raise ConfigError(f"--data {options.data}: not a folder; expected one with ferplus/, london/ or videos/")
    parts = (_crowd_part, _pair_part, _clip_part)
    figures = [figure for part in parts for figure in part(options, bundle)]
    return figures + _bundle_figures(bundle, options.engine)


def _crowd_part(options: argparse.Namespace, bundle: Bundle) -> list[Figure]:
    held_out = options.clips == "held-out"
    faces = read_crowd_faces(options.data, held_out=held_out, limit=options.limit, seed=options.seed)
    if faces is None:
        return _skip("ferplus/", "no npz with votes")
    if not _names_emotions(bundle):
        _skip("accuracy over the eight emotions", f"the bundle has no head `emotions` with {', '.join(EMOTIONS)}")

    def analyse(image: ImageArray) -> list[streamaffect.Estimate]:
        return streamaffect.analyze_image(image, boxes=[WHOLE], bundle=bundle, engine=options.engine)

    rounds = 1 if options.no_robustness else 1 + len(DEGRADATIONS)
    with _bar("FER+ faces", len(faces.pictures) * rounds) as advance:
        answers = answer(faces.pictures, analyse, advance)
        figures = crowd_figures(faces, answers)
        if not options.no_robustness:
            figures += robustness_figures(faces, answers, analyse, advance)
    return figures


def _pair_part(options: argparse.Namespace, bundle: Bundle) -> list[Figure]:
    pairs = read_pairs(options.data)
    if not pairs:
        return _skip("london/", "no pairs of NAME_neutral.jpg and NAME_smiling.jpg")
    chosen = _sample(pairs, options)

    def analyse(image: ImageArray) -> list[streamaffect.Estimate]:
        return streamaffect.analyze_image(image, bundle=bundle, engine=options.engine)

    with _bar("London pairs", len(chosen)) as advance:
        return pair_figures(chosen, analyse, advance)


def _clip_part(options: argparse.Namespace, bundle: Bundle) -> list[Figure]:
    clips = read_clips(options.data, read_people(_people_file(options, bundle)))
    if clips is None:
        return _skip("videos/", "needs videos.csv and videos_teacher.csv")
    if options.clips == "held-out":
        clips = [clip for clip in clips if clip.split != "train"]
    chosen = _sample(clips, options)
    if not chosen:
        return _skip("videos/", "all clips were trained on; --clips all scores them")

    def analyse(clip: Clip) -> Iterator[streamaffect.Estimate]:
        return streamaffect.analyze(clip.file, bundle=bundle, engine=options.engine)

    with _bar("clips", len(chosen)) as advance:
        matched, problems = match_clips(chosen, analyse, advance)
    for problem in problems:
        console.print(f"skipped: {problem}", highlight=False)
    figures = clip_figures(matched, "clips")
    untouched = [one for one in matched if one.clip.split not in ("train", "valid")]
    if 0 < len(untouched) < len(matched):
        figures += clip_figures(untouched, "clips, untouched")
    return figures


def _bundle_figures(bundle: Bundle, engine_name: str) -> list[Figure]:
    """Size on disk, and time of the frame encoder for one crop on one thread."""
    size = bundle.manifest.crop.size
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3)).astype(np.uint8)
    engine = open_engine(bundle, engine_name, threads=1)
    times = []
    for _ in range(ENCODER_CALLS):
        started_s = time.perf_counter()
        engine.encode_frames(crop)
        times.append((time.perf_counter() - started_s) * 1e3)
    note = f"{engine.info}; median, and the range of 95 % of {ENCODER_CALLS} calls"
    engine.close()
    low, high = np.quantile(times, [0.025, 0.975]).tolist()
    megabytes = sum(file.stat().st_size for file in bundle.path.iterdir() if file.is_file()) / 1e6
    return [
        Figure(
            "bundle", "frame encoder, ms a crop", Measured(statistics.median(times), low, high, ENCODER_CALLS, 1), note
        ),
        Figure("bundle", "size, MB", Measured(megabytes, megabytes, megabytes, 1, 1)),
    ]


def _names_emotions(bundle: Bundle) -> bool:
    head = bundle.manifest.head("emotions")
    return head is not None and set(EMOTIONS) <= {output.name for output in head.outputs}


def _people_file(options: argparse.Namespace, bundle: Bundle) -> Path | None:
    """Who is in a clip and what it was used for: as asked for, as the bundle says, or as the default recipe says."""
    if options.people is not None:
        return Path(options.people)
    return next((file for file in (bundle.path / "people.csv", PEOPLE) if file.is_file()), None)


def _sample(items: list[Item], options: argparse.Namespace) -> list[Item]:
    if options.limit is None or options.limit >= len(items):
        return items
    rows = np.sort(np.random.default_rng(options.seed).choice(len(items), options.limit, replace=False))
    return [items[row] for row in rows]


def _skip(part: str, reason: str) -> list[Figure]:
    console.print(f"skipped: {part}: {reason}", highlight=False)
    return []


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)


def _row(figure: Figure) -> Row:
    measured = figure.measured
    return {
        "part": figure.part,
        "figure": figure.name,
        "value": round(measured.value, 4),
        "low": round(measured.low, 4),
        "high": round(measured.high, 4),
        "rows": measured.count,
        "groups": measured.groups,
        "note": figure.note,
    }


def _shown(figure: Figure) -> Row:
    measured = figure.measured
    return {
        "part": figure.part,
        "figure": figure.name,
        "value": f"{measured.value:.3f}",
        "95 % interval": f"{measured.low:.3f} to {measured.high:.3f}",
        "rows": measured.count,
        "note": figure.note,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ferplus/, london/, videos/")
    parser.add_argument("--bundle", type=Path, help="folder of a bundle (default: the shipped one)")
    parser.add_argument("--engine", default="auto", help="as for run_stream.py (default: %(default)s)")
    parser.add_argument(
        "--clips", choices=("held-out", "all"), default="held-out",
        help="held-out leaves out what was trained on: clips of the split `train`, pictures of FER+'s Training part",
    )  # fmt: skip
    parser.add_argument(
        "--people", type=Path,
        help="CSV of file, person, split for the clips (default: people.csv in the bundle, else the default recipe's)",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, help="a random sample of so many pictures, pairs and clips")
    parser.add_argument("--seed", type=int, default=0, help="of that sample (default: %(default)s)")
    parser.add_argument("--no-robustness", action="store_true", help="leave out the spoilt pictures")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/accuracy.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
