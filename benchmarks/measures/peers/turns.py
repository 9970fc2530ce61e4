"""Ours and a peer in turn, one process at a time: frames a second, ratios, and whether it is the same face."""

import statistics
import subprocess
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.measures.peers.contestants import Command
from benchmarks.measures.peers.installing import reason
from benchmarks.measures.peers.reading import Face, Noted, Reading, from_json

LIMIT_S = 900.0
SAME_TIME_S = 0.02


class FailedError(Exception):
    """A program that did not read the video, and why."""


@dataclass(slots=True)
class Match:
    """The readings of one peer, and those of ours right before each."""

    ours: list[Reading] = field(default_factory=list)
    theirs: list[Reading] = field(default_factory=list)
    failure: str | None = None

    @property
    def ratios(self) -> list[float]:
        """How many times as fast ours was, by pairs."""
        return [rate(a) / rate(b) for a, b in zip(self.ours, self.theirs, strict=True)]


def rate(reading: Reading) -> float:
    """Frames a second."""
    return reading.frames / reading.seconds


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, lowest, highest."""
    return statistics.median(values), min(values), max(values)


def read(command: Command) -> Reading:
    """Run a program to its end. Raises FailedError."""
    try:
        done = subprocess.run(
            command.words, cwd=command.folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FailedError(str(error)) from error
    if done.returncode:
        raise FailedError(reason(done.stderr or done.stdout))
    try:
        reading = from_json(done.stdout.splitlines()[-1])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise FailedError(f"it printed no reading: {reason(done.stdout)}") from error
    if not reading.frames:
        raise FailedError(f"it read no frame: {reason(done.stderr)}")
    return reading


def play(
    commands: dict[str, Command],
    our_command: Command,
    rounds: int,
    *,
    measure: Callable[[Command], Reading] = read,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Match]:
    """Ours, a peer, ours, the next peer, and again. A peer that fails once is out. Raises FailedError if ours fails."""
    matches = {name: Match() for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            match = matches[name]
            if match.failure is None:
                own = measure(our_command)
                try:
                    theirs = measure(command)
                except FailedError as error:
                    match.failure = str(error)
                else:
                    match.ours.append(own)
                    match.theirs.append(theirs)
            advance()
    return matches


def same_face(ours: Reading, theirs: Reading) -> float:
    """Of the frames for which both have noted their largest face, the share in which it is the same one, [0, 1].

    It is where the middle of the smaller box lies inside the larger one.
    """
    pairs = list(_at_the_same_time(ours.noted, theirs.noted))
    return sum(_overlap(a, b) for a, b in pairs) / len(pairs) if pairs else 0.0


def _at_the_same_time(ours: Sequence[Noted], theirs: Sequence[Noted]) -> Iterator[tuple[Face, Face]]:
    times = [one.time_s for one in ours]
    for other in theirs:
        for one in ours[max(0, bisect_left(times, other.time_s - SAME_TIME_S)) :][:1]:
            if abs(one.time_s - other.time_s) <= SAME_TIME_S:
                yield one.face, other.face


def _overlap(a: Face, b: Face) -> bool:
    small, large = sorted((a, b), key=lambda box: box[2] * box[3])
    x, y = small[0] + small[2] / 2, small[1] + small[3] / 2
    return large[0] <= x <= large[0] + large[2] and large[1] <= y <= large[1] + large[3]
