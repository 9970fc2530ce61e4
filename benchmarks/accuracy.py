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
from functools import partial
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import streamaffect
from benchmarks.measures.agreement import Measured
from benchmarks.measures.clip_figures import clip_figures, match_clips
from benchmarks.measures.conditions import clip_condition_figures, pose_figures, spoilt_figures
from benchmarks.measures.degradations import DEGRADATIONS, SPOILT_ROUNDS
from benchmarks.measures.face_data import EMOTIONS, Clip, read_clips, read_crowd_faces, read_pairs, read_people
from benchmarks.measures.report import Row, show, write
from benchmarks.measures.still_figures import CROWD, Figure, answer, crowd_figures, pair_figures, robustness_figures
from streamaffect.errors import ConfigError, StreamAffectError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.choice import PRECISIONS, open_engine
from streamaffect.runtime.engine import Engine
from streamaffect.types import ImageArray

PEOPLE = Path(__file__).parent.parent / "configs" / "train" / "relational" / "default_people.csv"
WHOLE = (0.0, 0.0, 1.0, 1.0)
ENCODER_CALLS = 200

Item = TypeVar("Item")
Part = Callable[[argparse.Namespace, Bundle], list[Figure]]

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
    own = _bundle_figures(bundle, options)  # an engine that does not start ends it here, before the long parts
    people = read_people(_people_file(options, bundle))
    clip_part = partial(_clip_part, people=people)
    parts: dict[str, Part] = {"ferplus/": _crowd_part, "london/": _pair_part, "videos/": clip_part}
    figures: list[Figure] = []
    for name, part in parts.items():
        try:
            figures += part(options, bundle)
        except ConfigError as error:
            _skip(name, str(error))
    return figures + own


def _crowd_part(options: argparse.Namespace, bundle: Bundle) -> list[Figure]:
    held_out = options.clips == "held-out"
    faces = read_crowd_faces(options.data, _say, held_out=held_out, limit=options.limit, seed=options.seed)
    if faces is None:
        return _skip("ferplus/", "no npz with votes and pictures to score")
    if faces.pose is None:
        _skip("FER+ by head pose", "no *_teacher.npz with the rotations of the pictures")
    if not _names_emotions(bundle):
        _skip("accuracy over the eight emotions", f"the bundle has no head `emotions` with {', '.join(EMOTIONS)}")

    def analyse(image: ImageArray) -> list[streamaffect.Estimate]:
        return streamaffect.analyze_image(image, boxes=[WHOLE], bundle=bundle, engine=_engine(options))

    count = len(faces.pictures)
    spoilt = _rows(count, 0 if options.no_robustness else options.spoilt, options.seed)
    rounds = 1 if options.no_robustness else 1 + len(DEGRADATIONS)
    with _bar("FER+ faces", count * rounds + len(spoilt) * SPOILT_ROUNDS) as advance:
        answers = answer(faces.pictures, analyse, advance)
        figures = crowd_figures(faces, answers)
        if not options.no_robustness:
            figures += robustness_figures(faces, answers, analyse, advance)
        figures += pose_figures(faces, answers, CROWD)
        if len(spoilt):
            figures += spoilt_figures(faces, answers, spoilt, analyse, advance, part=CROWD)
    return figures


def _pair_part(options: argparse.Namespace, bundle: Bundle) -> list[Figure]:
    pairs = read_pairs(options.data)
    if not pairs:
        return _skip("london/", "no pairs of NAME_neutral.jpg and NAME_smiling.jpg")
    chosen = _sample(pairs, options)

    def analyse(image: ImageArray) -> list[streamaffect.Estimate]:
        return streamaffect.analyze_image(image, bundle=bundle, engine=_engine(options))

    with _bar("London pairs", len(chosen)) as advance:
        return pair_figures(chosen, analyse, advance, _say)


def _clip_part(options: argparse.Namespace, bundle: Bundle, *, people: dict[str, tuple[str, str]]) -> list[Figure]:
    clips = read_clips(options.data, people, _say)
    if clips is None:
        return _skip("videos/", "needs videos.csv and videos_teacher.csv")
    if options.clips == "held-out":
        clips = [clip for clip in clips if clip.split != "train"]
    chosen = _sample(clips, options)
    if not chosen:
        return _skip("videos/", "all clips were trained on; --clips all scores them")

    def analyse(clip: Clip) -> Iterator[streamaffect.Estimate]:
        return streamaffect.analyze(clip.file, bundle=bundle, engine=_engine(options))

    with _bar("clips", len(chosen)) as advance:
        matched, problems = match_clips(chosen, analyse, advance)
    for problem in problems:
        _say(problem)
    figures = clip_figures(matched, "clips")
    untouched = [one for one in matched if one.clip.split not in ("train", "valid")]
    if 0 < len(untouched) < len(matched):
        figures += clip_figures(untouched, "clips, untouched")
    return figures + clip_condition_figures(matched, "clips")


def _engine(options: argparse.Namespace) -> dict[str, object]:
    return {"backend": options.engine, "precision": options.precision}


def _bundle_figures(bundle: Bundle, options: argparse.Namespace) -> list[Figure]:
    """Time of the frame encoder in the engine and in ONNX Runtime fp32, and size on disk."""
    megabytes = sum(file.stat().st_size for file in bundle.path.iterdir() if file.is_file()) / 1e6
    return [
        _encoder_figure(
            "frame encoder, ms a crop",
            open_engine(bundle, options.engine, precision=options.precision, threads=1),
            bundle,
        ),
        _encoder_figure(
            "frame encoder in fp32, ms a crop", open_engine(bundle, "onnxruntime", precision="fp32", threads=1), bundle
        ),
        Figure("bundle", "size, MB", Measured(megabytes, megabytes, megabytes, 1, 1), bundle.manifest.label),
    ]


def _encoder_figure(name: str, engine: Engine, bundle: Bundle) -> Figure:
    """For one crop on one thread; closes the engine."""
    size = bundle.manifest.crop.size
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3)).astype(np.uint8)
    times = []
    for _ in range(ENCODER_CALLS):
        started_s = time.perf_counter()
        engine.encode_frames(crop)
        times.append((time.perf_counter() - started_s) * 1e3)
    note = f"{engine.info}; median, and the range of 95 % of {ENCODER_CALLS} calls"
    engine.close()
    low, high = np.quantile(times, [0.025, 0.975]).tolist()
    return Figure("bundle", name, Measured(statistics.median(times), low, high, ENCODER_CALLS, 1), note)


def _names_emotions(bundle: Bundle) -> bool:
    head = bundle.manifest.head("emotions")
    return head is not None and set(EMOTIONS) <= {output.name for output in head.outputs}


def _people_file(options: argparse.Namespace, bundle: Bundle) -> Path | None:
    """Who is in a clip and what it was used for: as asked for, as the bundle says, or as the default recipe says."""
    if options.people is not None:
        return Path(options.people)
    return next((file for file in (bundle.path / "people.csv", PEOPLE) if file.is_file()), None)


def _sample(items: list[Item], options: argparse.Namespace) -> list[Item]:
    return [items[row] for row in _rows(len(items), options.limit, options.seed)]


def _rows(count: int, limit: int | None, seed: int) -> np.ndarray:
    """All of `count` rows, or a random sample of `limit`."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))


def _skip(part: str, reason: str) -> list[Figure]:
    _say(f"{part}: {reason}")
    return []


def _say(what: str) -> None:
    console.print(f"skipped: {what}", highlight=False, soft_wrap=True)


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
        "--precision", default="auto", choices=("auto", *PRECISIONS), help="as engine.precision (default: %(default)s)"
    )
    parser.add_argument(
        "--clips", choices=("held-out", "all"), default="held-out",
        help="held-out leaves out what was trained on: clips of the split `train`, pictures of FER+'s Training part",
    )  # fmt: skip
    parser.add_argument(
        "--people", type=Path,
        help="CSV of file, person, split for the clips (default: people.csv in the bundle, else the default recipe's)",
    )  # fmt: skip
    parser.add_argument("--limit", type=_count, help="a random sample of so many pictures, pairs and clips")
    parser.add_argument(
        "--spoilt", type=_count, default=1000,
        help="errors by size, blur and light are those of a random sample of so many pictures (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of that sample (default: %(default)s)")
    parser.add_argument("--no-robustness", action="store_true", help="leave out the spoilt pictures")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/accuracy.json)")
    return parser.parse_args()


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


if __name__ == "__main__":
    main()
