"""How often a cut is taken for the same speaker, something else for a cut, and a turned face for an upright one.

The folder holds any of `london/` (neutral and smiling portraits), `lfw_faces/*.npz` (face crops with names) and
`videos/` (clips); parts that are absent are skipped. Stills become streams of 2.2 s by a camera held by hand, and go
through the detector, the tracker and the watch for cuts as a video does (`benchmarks/measures/faces/scenes.py`).

    python benchmarks/faces.py --data faces
    python benchmarks/faces.py --data faces --limit 20 --seed 5
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.progress import track

from benchmarks.measures.faces.counts import Count
from benchmarks.measures.faces.cut_figures import cut_count, no_cut_count, whole_clip_count
from benchmarks.measures.faces.portraits import Portrait, read_clip_files, read_named_faces, read_portraits
from benchmarks.measures.faces.scenes import NO_CUTS, Frames, Shot, joined
from benchmarks.measures.faces.turned_figures import turned_counts, turning_count
from benchmarks.measures.report import Row, show, write
from streamaffect.config import load_config
from streamaffect.errors import ConfigError, StreamAffectError
from streamaffect.runtime.bundle import load_bundle

Item = TypeVar("Item")

ANGLES = (0, 45, 60, 75, 90, 135, 180, 225, 270, 315)


def main() -> None:
    """Measure, print the table, write the JSON."""
    options = _options()
    try:
        counts = list(measure_all(options))
    except StreamAffectError as error:
        raise SystemExit(f"faces: {error}") from None
    show("faces: cuts and turned faces", [_shown(count) for count in counts])
    print(write("faces", [_row(count) for count in counts], options.out))


def measure_all(options: argparse.Namespace) -> Iterator[Count]:
    """Every count that the data allow."""
    sets = {
        "portraits": read_portraits(options.data, options.limit, options.seed),
        "news pictures": read_named_faces(options.data, options.limit, options.seed),
    }
    sets = {name: portraits for name, portraits in sets.items() if portraits}
    clips = read_clip_files(options.data, options.limit, options.seed)
    if not sets and not clips:
        raise ConfigError(f"--data {options.data}: no london/*_neutral.jpg, lfw_faces/*.npz or videos/* in this folder")
    config, bundle = load_config(), load_bundle(options.bundle)
    shots = {name: _shots(portraits) for name, portraits in sets.items()}
    for name, one in shots.items():
        pairs = [(a, b) for a, b in zip(one, [*one[1:], one[0]], strict=True) if a.person != b.person]
        yield cut_count(name, "cut to another person", _joined(pairs, name), config, bundle)
    if len(shots) > 1:
        a, b = shots.values()
        mixed = [pair for pairs in (zip(a, b, strict=False), zip(b, a, strict=False)) for pair in pairs]
        yield cut_count("both", "cut to another person", _joined(mixed, "both"), config, bundle)
    for name, one in shots.items():
        for event in NO_CUTS:
            yield no_cut_count(name, event, _changed(one, name, event), config, bundle)
    if clips:
        yield whole_clip_count("clips", _bar(clips, "clips"), config, bundle)
    for name, portraits in sets.items():
        yield from turned_counts(name, _bar(portraits, f"{name}: turned"), ANGLES, bundle)
        yield turning_count(name, _bar(portraits, f"{name}: turning"), config, bundle)


def _shots(portraits: list[Portrait]) -> list[Shot]:
    return [Shot(one.person, one.image, seed) for seed, one in enumerate(portraits)]


def _joined(pairs: Sequence[tuple[Shot, Shot]], name: str) -> Iterator[Frames]:
    return (joined(one, other) for one, other in _bar(pairs, f"{name}: cuts"))


def _changed(shots: Sequence[Shot], name: str, event: str) -> Iterator[Frames]:
    return (NO_CUTS[event](shot.frames()) for shot in _bar(shots, f"{name}: {event}"))


def _bar(items: Sequence[Item], title: str) -> Iterator[Item]:
    yield from track(items, title, transient=True)


def _row(count: Count) -> Row:
    low, high = count.interval
    return {
        "part": count.part,
        "figure": count.figure,
        "wrong": count.wrong,
        "of": count.of,
        "share": round(count.share, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "note": count.note,
    }


def _shown(count: Count) -> Row:
    low, high = count.interval
    return {
        "part": count.part,
        "figure": count.figure,
        "wrong": f"{count.wrong} of {count.of}",
        "95 % interval": f"{low:.1%} to {high:.1%}",
        "note": count.note,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with london/, lfw_faces/, videos/")
    parser.add_argument("--bundle", type=Path, help="folder of a bundle (default: the shipped one)")
    parser.add_argument(
        "--limit", type=_count, default=100, help="a random sample of so many pictures and clips (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of that sample (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/faces.json)")
    return parser.parse_args()


def _count(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f"{text} is less than 2")
    return value


if __name__ == "__main__":
    main()
