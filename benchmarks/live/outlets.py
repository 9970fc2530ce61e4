"""What all outlets together cost a run: latency, losses and memory without them and with each of them read.

Rounds without and with outlets take turns (without, with, with, without), so that what else the machine does falls on
both alike. With them, a run gives to Lab Streaming Layer, Open Sound Control, a broker of MQTT in a process of its own,
Prometheus, a page that is looked at, and a recording; one further process reads them all. In both, this process
subscribes to the feed. All of that shares the cores of this machine. Linux alone.

    python benchmarks/live/outlets.py --minutes 10
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import json
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

from benchmarks.measures.report import Row, percentiles, show, write
from benchmarks.measures.soak.minutes import Seen, after_warm_up, memory_slope_mb_h
from benchmarks.measures.soak.process import look_at
from streamaffect import Estimate, Health, Subscriber
from streamaffect.recordings.reading import read_recording
from tests.support.outlets.processes import Process, free_port

ROOT = Path(__file__).parents[2]
WARM_UP_S = 5.0  # after the first estimate, or after the readers are there; nothing before counts
START_S = 60.0
SINKS = ("zmq", "lsl", "osc", "mqtt", "metrics", "web", "recorder")
PACKAGES = (
    "pyzmq",
    "msgspec",
    "pylsl",
    "python-osc",
    "paho-mqtt",
    "amqtt",
    "prometheus-client",
    "uvicorn",
    "onnxruntime",
)


@dataclass(slots=True)
class Round:
    """One run.

    latencies_ms: from capture to the subscriber; slope_mb_h: of resident memory; cpu: share of a core
    read:         what the readers of the outlets have counted
    """

    latencies_ms: list[float] = field(default_factory=list)
    lost: int = 0
    slope_mb_h: float = 0.0
    memory_mb: float = 0.0
    cpu: float = 0.0
    skipped: int = 0
    end_s: float = 0.0
    dropped: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)


def main() -> int:
    """Measure, show and save; 1 where a message was lost or dropped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="without and with each, in all (default: %(default)g)"
    )
    parser.add_argument("--rounds", type=int, default=2, help="into which they are split (default: %(default)s)")
    parser.add_argument("--source", default="demo", help="as for run_stream.py (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file (default: outlets.json among the results)")
    options = parser.parse_args()
    seconds = options.minutes * 60 / options.rounds
    rounds: dict[str, list[Round]] = {"without": [], "with": []}
    for number in range(options.rounds * 2):
        kind = "with" if number % 4 in (1, 2) else "without"
        print(f"round {number + 1} of {options.rounds * 2}, {kind} outlets, {seconds:.0f} s", flush=True)
        rounds[kind].append(a_round(options.source, seconds, has_outlets=kind == "with"))
    rows = [_row(kind, found) for kind, found in rounds.items()]
    facts = _facts(rounds)
    show("capture to subscriber", rows)
    show("in all", [{"what": key, "value": str(value)} for key, value in facts.items()])
    all_rows: list[Row] = [*rows, *({"what": key, "value": value} for key, value in facts.items())]
    print(write("outlets", all_rows, options.out, packages=PACKAGES))
    return int(any(one.lost or one.dropped for found in rounds.values() for one in found))


def a_round(source: str, seconds: float, *, has_outlets: bool) -> Round:
    """Run the program as a user starts it, and look at it for so long."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        address, recording = f"ipc://{folder}/feed", Path(folder) / "run.jsonl"
        words, readers = [], []
        if has_outlets:
            osc, broker, metrics, web = free_port(socket.SOCK_DGRAM), free_port(), free_port(), free_port()
            stack.enter_context(Process("mqtt_broker", str(broker)))
            words = [
                "--lsl",
                "--set",
                "lsl.slots=1",
                "--osc",
                f"127.0.0.1:{osc}",
                "--mqtt",
                f"mqtt://127.0.0.1:{broker}",
            ]
            words += ["--metrics", f"127.0.0.1:{metrics}", "--web", f"127.0.0.1:{web}", "--record", str(recording)]
            readers = [str(port) for port in (osc, broker, metrics, web)]
        feed = stack.enter_context(Subscriber(address, capacity=100_000))
        process = stack.enter_context(_program("--source", f"bench={source}", "--bind", address, *words))
        if feed.receive(START_S) is None:
            raise SystemExit(f"nothing came within {START_S:g} s; does the stream run by itself?")
        reading = stack.enter_context(_readers("streamaffect bench", *readers)) if readers else None
        found = _watch(process, feed, seconds)
        if reading is not None:
            found.read.update(json.loads(reading.communicate(timeout=START_S)[0].splitlines()[-1]))
        asked_s = time.monotonic()
        process.terminate()
        if process.wait(START_S) != 0:
            raise SystemExit("the run has failed; what it said stands above")
        found.end_s = time.monotonic() - asked_s
        if has_outlets:
            recorded = read_recording(recording)
            found.read["estimates recorded"] = sum(isinstance(message, Estimate) for message in recorded)
            found.read["missing in the recording"] = recorded.missing
        return found


@contextmanager
def _program(*words: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "run_stream.py", "--no-display", "--log-level", "error", *words]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _readers(*words: str) -> Iterator["subprocess.Popen[str]"]:
    """The process that reads the outlets, once it is connected to all of them."""
    command = [sys.executable, "-m", "benchmarks.measures.outlet_readers", *words]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SystemExit("the readers of the outlets could not connect to all of them")
            yield process
        finally:
            process.kill()


def _watch(process: "subprocess.Popen[bytes]", feed: Subscriber, seconds: float) -> Round:
    """Subscribe for so long, after a warm-up, and look at the process each second."""
    found, seen = Round(), Seen()
    begun_s, next_look_s = time.monotonic() + WARM_UP_S, 0.0
    lost_before: int | None = None
    while (now_s := time.monotonic() - begun_s) < seconds and process.poll() is None:
        message = feed.receive(0.1)
        if now_s < 0:
            continue
        if lost_before is None:
            lost_before = feed.lost
        if isinstance(message, Estimate):
            found.latencies_ms.append((time.time_ns() - message.t_capture_ns) / 1e6)
        elif isinstance(message, Health):
            found.dropped, found.skipped = Counter(message.dropped), message.skipped
        if now_s >= next_look_s:
            next_look_s += 1.0
            with suppress(OSError):  # it has just ended
                seen.states.append(look_at(process.pid, now_s))
    found.lost = feed.lost + feed.dropped - (lost_before or 0)
    states = seen.states
    found.slope_mb_h = memory_slope_mb_h(after_warm_up(seen))
    found.memory_mb = states[-1].memory_mb
    found.cpu = (states[-1].cpu_s - states[0].cpu_s) / (states[-1].at_s - states[0].at_s)
    return found


def _row(what: str, rounds: list[Round]) -> Row:
    p50, p95, p99 = percentiles([ms for one in rounds for ms in one.latencies_ms])
    return {
        "run": what,
        "p50 ms": p50,
        "p95 ms": p95,
        "p99 ms": p99,
        "lost": sum(one.lost for one in rounds),
        "cores": float(np.mean([one.cpu for one in rounds])),
        "MB": round(max(one.memory_mb for one in rounds)),
        "MB/h": float(np.median([one.slope_mb_h for one in rounds])),
    }


def _facts(rounds: dict[str, list[Round]]) -> dict[str, object]:
    """The ratio of the percentiles, what was dropped on the way to each outlet, and what their readers got."""
    merged = {kind: [ms for one in found for ms in one.latencies_ms] for kind, found in rounds.items()}
    without, with_them = (percentiles(merged[kind]) for kind in ("without", "with"))
    counts = {
        f"{what}, {kind} outlets": value
        for kind, found in rounds.items()
        for what, value in (
            ("estimates", len(merged[kind])),
            ("skipped frames", sum(one.skipped for one in found)),
            ("SIGTERM to exit s", round(max(one.end_s for one in found), 2)),
        )
    }
    dropped, read = Counter[str](), Counter[str]()
    for one in rounds["with"]:
        dropped.update(one.dropped)
        read.update(one.read)
    ratios = {
        f"{name} with / without": round(high / low, 3)
        for name, low, high in zip(("p50", "p95", "p99"), without, with_them, strict=True)
    }
    return {**ratios, **counts, **{f"dropped by {sink}": dropped[sink] for sink in SINKS}, **dict(sorted(read.items()))}


if __name__ == "__main__":
    sys.exit(main())
