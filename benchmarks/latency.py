"""Latency of the live stream, from the grab of a frame to a subscriber in another process.

The stream runs as a user starts it, in a process of its own; this process subscribes. Both read the same machine's
clock. Also measured: the stages, the cold start, lost messages, skipped frames and memory.

    python benchmarks/latency.py --source demo --seconds 30
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measures.report import percentiles, show, write
from streamaffect import Estimate, Health, Subscriber

ROOT = Path(__file__).parent.parent
WARM_UP_S = 2.0
STAGES = ("capture", "faces", "encode", "clip", "publish", "total")


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", action="append", help="as for run_stream.py; repeatable (default: demo)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to measure (default: %(default)s)")
    parser.add_argument("--bind", default="tcp://127.0.0.1:5591", help="address of the feed (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/latency.json)")
    options = parser.parse_args()
    rows = measure(options.source or ["demo"], options.bind, options.seconds)
    show("capture to subscriber", rows)
    print(write("latency", rows, options.out))


def measure(sources: list[str], address: str, seconds: float) -> list[dict[str, object]]:
    """Run the stream and listen; one row per stage and one for the way to the subscriber."""
    started_s = time.time()
    received: list[tuple[int, Estimate]] = []
    health: list[Health] = []
    with _stream(sources, address), Subscriber(address) as feed:
        for message in feed.messages():
            now_ns = time.time_ns()
            if isinstance(message, Estimate):
                received.append((now_ns, message))
            elif isinstance(message, Health):
                health.append(message)
            if received and now_ns / 1e9 - received[0][0] / 1e9 > seconds + WARM_UP_S:
                break
        lost = feed.lost
    first_ns = received[0][0]
    measured = [(ns, estimate) for ns, estimate in received if ns - first_ns > WARM_UP_S * 1e9]
    to_subscriber = [(ns - estimate.t_capture_ns) / 1e6 for ns, estimate in measured]
    rows = [_row(stage, [estimate.latency_ms[stage] for _, estimate in measured]) for stage in STAGES]
    rows.append(_row("to the subscriber", to_subscriber))
    frames, skipped = health[-1].frames, health[-1].skipped
    facts: dict[str, object] = {
        "estimates": len(measured),
        "lost messages": lost,
        "skipped frames": skipped,
        "frames": frames,
        "cold start s": round(first_ns / 1e9 - started_s, 2),
        "memory MB after 3 s": round(health[min(2, len(health) - 1)].memory_mb),
        "memory MB at the end": round(health[-1].memory_mb),
        "source": " ".join(sources),
    }
    show("run", [{"what": key, "value": str(value)} for key, value in facts.items()])
    return [*rows, *({"stage": key, "value": value} for key, value in facts.items())]


def _row(stage: str, milliseconds: list[float]) -> dict[str, object]:
    p50, p95, p99 = percentiles(milliseconds)
    return {"stage": stage, "p50 ms": p50, "p95 ms": p95, "p99 ms": p99}


@contextmanager
def _stream(sources: list[str], address: str) -> Iterator[None]:
    command = [sys.executable, str(ROOT / "run_stream.py"), "--bind", address, "--no-display"]
    for source in sources:
        command += ["--source", source]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    main()
