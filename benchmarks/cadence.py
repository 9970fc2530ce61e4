"""What it costs and saves when the detector of faces does not look at every frame (`faces.every`).

The folder holds `videos/` with `videos.csv` and `videos_teacher.csv`. Every clip runs at every cadence; the figures are
differences to a look at every frame, and agreement with the teacher on the clips that were not trained on.

    python benchmarks/cadence.py --data faces
    python benchmarks/cadence.py --data faces --limit 5
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
from collections.abc import Iterator

from rich.progress import Progress

from benchmarks.measures.face_data import Clip, read_clips, read_people
from benchmarks.measures.faces.cadence_figures import EVERY_FRAME, PACES, row_of, run_clips
from benchmarks.measures.report import Row, show, write
from streamaffect.errors import ConfigError, StreamAffectError
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.choice import open_engine

PEOPLE = Path(__file__).parent.parent / "configs" / "train" / "relational" / "default_people.csv"


def main() -> None:
    """Measure, print the table, write the JSON."""
    options = _options()
    try:
        rows = list(measure_all(options))
    except StreamAffectError as error:
        raise SystemExit(f"cadence: {error}") from None
    show("cadence of the detector, against every frame", rows)
    print(write("cadence", rows, options.out))


def measure_all(options: argparse.Namespace) -> Iterator[Row]:
    """A row per cadence, of all clips and of those that were not trained on."""
    clips = read_clips(options.data, read_people(PEOPLE if PEOPLE.is_file() else None), print)
    if not clips:
        raise ConfigError(f"--data {options.data}: no videos/videos.csv with videos/videos_teacher.csv in this folder")
    clips = clips[: options.limit]
    bundle = load_bundle(options.bundle)
    engine = open_engine(bundle, options.engine, precision=options.precision)
    with Progress(transient=True) as progress:
        task = progress.add_task("clips", total=len(clips) * len(PACES))
        runs = {
            pace: run_clips(clips, pace, bundle, engine, lambda: progress.advance(task)) for pace in PACES
        }  # fmt: skip
    engine.close()
    for what, wanted in (("all", lambda _: True), ("held out", _is_held_out)):
        usual = [run for run in runs[EVERY_FRAME] if wanted(run.clip)]
        for pace, found in runs.items() if usual else ():
            frames = sum(run.frames for run in usual)
            head = {"clips": f"{what}: {len(usual)}", "frames": frames}
            yield {**head, **row_of(pace, [run for run in found if wanted(run.clip)], usual)}


def _is_held_out(clip: Clip) -> bool:
    return clip.split != "train"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with videos/")
    parser.add_argument("--bundle", type=Path, help="folder of a bundle (default: the shipped one)")
    parser.add_argument("--engine", default="auto", help="as for run_stream.py (default: %(default)s)")
    parser.add_argument("--precision", default="fp32", help="as engine.precision (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="the first so many clips")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/cadence.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
