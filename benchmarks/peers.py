"""The same video read by streamaffect and by what else reads emotions from faces, side by side on this machine.

What is compared is the whole path from a file to the emotion of the face in every frame, in frames a second, with every
model loaded and five frames read before. Ours and each peer run in turn, one process at a time, several times; ratios
are those of neighbours. Each has the processors that it takes by itself, or so many as `--processors` leaves to all.

human, FER and a script by hand (OpenCV, MediaPipe and a network in ONNX Runtime) are installed into a folder of their
own, some 3 GB, on the first run. Who cannot be installed is left out, and the result says why. Their emotions are not
compared, and the classifier of the script by hand has random weights: only its speed is real.

    python benchmarks/peers.py
    python benchmarks/peers.py --video interview.mp4 --only fer --rounds 3
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
import os
from collections.abc import Mapping, Sequence
from contextlib import closing

from rich.console import Console
from rich.progress import Progress

from benchmarks.measures.peers.contestants import PEERS, Command, Peer, Video, ours
from benchmarks.measures.peers.installing import NotInstalledError
from benchmarks.measures.peers.reading import Reading
from benchmarks.measures.peers.turns import FailedError, Match, play, rate, read, same_face, spread
from benchmarks.measures.report import PACKAGES, Row, show, write
from streamaffect.errors import StreamAffectError
from streamaffect.runtime.engine_cache import cache_folder
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.sources.video.av_reader import AvReader

OURS = "streamaffect"
TITLES = {"goal": "in turn", "versions": "what each has run", "because": "left out"}  # of tables, by last columns
NAMES = tuple(peer.name for peer in PEERS)


def main() -> None:
    """Install, measure, show and save."""
    options = _options()
    try:
        video = look_at(options.video)
        if options.processors:
            leave_processors(options.processors)
    except (StreamAffectError, OSError, ValueError) as error:
        raise SystemExit(f"peers: {error}") from None
    wanted = [peer for peer in PEERS if peer.name in (options.only or NAMES)]
    console = Console(stderr=True)
    commands, left_out = install(wanted, options.folder, video, console)
    try:
        read(ours(video))  # the first start on a machine tries the bundle's variants
        with Progress(console=console) as progress:
            task = progress.add_task("reading the video in turn", total=options.rounds * len(commands))
            matches = play(commands, ours(video), options.rounds, advance=lambda: progress.advance(task))
    except FailedError as error:
        raise SystemExit(f"peers: streamaffect itself failed: {error}") from None
    left_out |= {name: match.failure for name, match in matches.items() if match.failure is not None}
    rows = [*to_rows(wanted, matches), *({"left out": name, "because": why} for name, why in left_out.items())]
    for columns in dict.fromkeys(tuple(row) for row in rows):
        show(TITLES[columns[-1]], [row for row in rows if tuple(row) == columns])
    print(write("peers", rows, options.out, packages=(*PACKAGES, "av")))


def look_at(path: Path) -> Video:
    """Its size and rate. Raises SourceOpenError where it is no video."""
    with closing(AvReader(path)) as reader:
        return Video(path.resolve(), *reader.size, reader.fps or 25.0)


def leave_processors(count: int) -> None:
    """Run this process, and all that it starts, on so many processors. Raises ValueError where there are fewer."""
    if not hasattr(os, "sched_setaffinity"):
        raise ValueError("--processors needs Linux")
    there = sorted(os.sched_getaffinity(0))
    if not 0 < count <= len(there):
        raise ValueError(f"--processors {count}: this process may use 1 to {len(there)}")
    os.sched_setaffinity(0, there[:count])


def install(
    wanted: Sequence[Peer], folder: Path, video: Video, console: Console
) -> tuple[dict[str, Command], dict[str, str]]:
    """The commands of those that are there, and why the others are not."""
    commands: dict[str, Command] = {}
    left_out: dict[str, str] = {}
    for peer in wanted:
        with console.status(f"installing {peer.name} in {folder / peer.name}"):
            try:
                commands[peer.name] = peer.prepare(folder / peer.name, video)
            except (NotInstalledError, OSError) as error:
                left_out[peer.name] = str(error)
    return commands, left_out


def to_rows(wanted: Sequence[Peer], matches: Mapping[str, Match]) -> list[Row]:
    """One row for ours, over all its runs, and one for each peer that has read the video; then how each has run."""
    played = [(peer, matches[peer.name]) for peer in wanted if peer.name in matches and matches[peer.name].theirs]
    if not played:
        return []
    own = [reading for _, match in played for reading in match.ours]
    rows = [_row(OURS, own, own[0]) | dict.fromkeys(_ratios([1.0], None))]
    rows += [_row(peer.name, match.theirs, own[0]) | _ratios(match.ratios, peer.goal) for peer, match in played]
    hows = [_how(OURS, "as it comes", own[0]), *(_how(peer.name, peer.how, match.theirs[0]) for peer, match in played)]
    return [*rows, *hows]


def _row(name: str, readings: Sequence[Reading], ours: Reading) -> dict[str, object]:
    median, low, high = (round(value, 1) for value in spread([rate(reading) for reading in readings]))
    first = readings[0]
    return {
        "peer": name,
        "frames/s": median,
        "low": low,
        "high": high,
        "runs": len(readings),
        "with a face %": round(100 * first.faces / max(1, first.frames), 1),
        "our face %": round(100 * same_face(ours, first), 1),
    }


def _ratios(ratios: Sequence[float], goal: float | None) -> dict[str, object]:
    median, low, high = (round(value, 2) for value in spread(ratios))
    return {"ours is × as fast": median, "× low": low, "× high": high, "goal": goal}


def _how(name: str, how: str, reading: Reading) -> Row:
    versions = ", ".join(f"{what} {number}" for what, number in reading.versions.items())
    return {"peer": name, "how": how, "frames": reading.frames, "versions": versions}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, default=DEMO_CLIP, help="file to read (default: the demo clip)")
    parser.add_argument("--only", choices=NAMES, action="append", help="this one alone; repeatable")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: %(default)s)")
    parser.add_argument("--processors", type=int, metavar="N", help="so many for everybody (default: all)")
    parser.add_argument(
        "--folder", type=Path, default=cache_folder().parent / "peers",
        help="where the peers are installed (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/peers.json)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes 1 or more")
    options.folder = options.folder.resolve()
    return options


if __name__ == "__main__":
    main()
