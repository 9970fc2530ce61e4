"""A run in a process of its own, as a user starts it, and what a subscriber and the system see of it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measures.report import percentiles
from streamaffect import Estimate, Health, Subscriber

ROOT = Path(__file__).parents[2]
WARM_UP_S = 3.0
SILENCE_S = 120.0  # after which the run has failed; many streams open one after another
QUIET = ("--no-display", "--log-level", "error")


@dataclass(slots=True)
class Seen:
    """What a run did in the measured seconds.

    seconds:      how many those were
    cpu_s:        processor time of the whole process within them
    memory_mb:    its resident memory at their end
    frames:       that were grabbed; skipped: those of them that nobody looked at, by reason
    latencies_ms: of each estimate, from its capture to the subscriber
    to_first_s:   from the start of the process to the first estimate
    """

    to_first_s: float
    seconds: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0
    frames: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)
    faces: int = 0

    @property
    def skipped_share(self) -> float:
        """Of the frames, [0, 1], those that were to be analysed and were not: what a cap leaves out does not count."""
        return sum(count for why, count in self.skipped.items() if why != "cap") / max(1, self.frames)

    @property
    def spread_ms(self) -> list[float]:
        """p50, p95 and p99 of the latencies."""
        return percentiles(self.latencies_ms) if self.latencies_ms else [float("nan")] * 3


def watch(
    sources: Sequence[str], seconds: float, *words: str, warm_up_s: float = WARM_UP_S, screen: int | None = None
) -> Seen:
    """Run these sources, and measure for so long after the warm-up; with 0 seconds, up to the first estimate alone.

    words:  further words of the command line
    screen: the descriptor of the terminal that it shall have in place of ours
    """
    started_s = time.monotonic()
    with (
        running(sources, *words, screen=screen) as (process, address),
        Subscriber(address, timeout_s=SILENCE_S) as feed,
    ):
        seen: Seen | None = None
        health: dict[str, Health] = {}
        before: dict[str, Health] = {}
        since_s = cpu_s = 0.0
        for message in feed.messages():
            now_s, now_ns = time.monotonic(), time.time_ns()
            if isinstance(message, Health):
                health[message.stream] = message
            elif isinstance(message, Estimate) and seen is None:
                seen = Seen(to_first_s=now_s - started_s)
                since_s = now_s
                if not seconds:
                    break
            elif isinstance(message, Estimate) and seen is not None and before:
                seen.latencies_ms.append((now_ns - message.t_capture_ns) / 1e6)
            if seen is None:
                continue
            if not before and now_s - since_s >= warm_up_s and len(health) == len(sources):
                before, since_s, cpu_s = dict(health), now_s, _cpu_s(process.pid)
            elif before and now_s - since_s >= seconds:
                seen.seconds, seen.cpu_s = now_s - since_s, _cpu_s(process.pid) - cpu_s
                seen.memory_mb = _memory_mb(process.pid, health)
                _count(seen, before, health)
                break
    if seen is None:
        raise SystemExit("the run gave no estimate")
    return seen


@contextmanager
def running(
    sources: Sequence[str], *words: str, screen: int | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """The process and the address of its feed."""
    address = f"tcp://127.0.0.1:{_free_port()}"
    command = [sys.executable, str(ROOT / "run_stream.py"), "--bind", address, *QUIET, *words]
    for source in sources:
        command += ["--source", source]
    process = subprocess.Popen(command, cwd=ROOT, stdin=screen, stdout=screen)
    try:
        yield process, address
    finally:
        process.terminate()
        process.wait(30)


def _count(seen: Seen, before: Mapping[str, Health], after: Mapping[str, Health]) -> None:
    """What happened between two health messages of each stream."""
    for stream, late in after.items():
        early = before[stream]
        seen.frames += late.frames - early.frames
        seen.faces += late.faces
        why, earlier = late.skipped_why or {}, early.skipped_why or {}
        for reason, count in why.items():
            seen.skipped[reason] = seen.skipped.get(reason, 0) + count - earlier.get(reason, 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far; NaN where the system does not tell it in /proc."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int, health: Mapping[str, Health]) -> float:
    """Resident memory now; its highest so far where the system does not tell it in /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return max(one.memory_mb for one in health.values())
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
