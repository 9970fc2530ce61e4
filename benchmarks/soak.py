"""The whole program for as long as is wanted, with a camera that goes away each minute; every output is in use.

The stream runs as a user starts it, in a process of its own, on a camera in another one: feed, recording, the display
in a terminal, the page in one that reads, and all outlets, with a broker. This process subscribes, and looks at memory,
threads and descriptors each second. Linux alone; needs the extras `web`, `outlets` and `test`.

Before it counts, the program warms up: its heap grows until it has room for what a reconnect takes in each of its
threads' arenas. So the camera is away for half a second, again and again, for some minutes.

    python benchmarks/soak.py --minutes 30

Writes the figures by minute and in all as JSON, and a curve beside it as SVG.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
import os
import pty
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

from benchmarks.measures.report import Row, show, write
from benchmarks.measures.soak.curve import write_curve
from benchmarks.measures.soak.minutes import (
    Minute,
    Seen,
    after_warm_up,
    back_s,
    drift_ms,
    memory_slope_mb_h,
    minutes_of,
)
from benchmarks.measures.soak.others import outlets
from benchmarks.measures.soak.process import look_at
from streamaffect import Estimate, Health, Subscriber
from streamaffect.errors import RecordingError
from streamaffect.recordings.reading import read_recording

ROOT = Path(__file__).parent.parent
FIRST_ABSENCE_S, EVERY_S = 20.0, 60.0
WARM_UP_EVERY_S, WARM_UP_AWAY_S = 3.0, 0.5
START_S = 60.0  # within which the first estimate has to come
COMMAND = ("run_stream.py", "run", "--display", "--source")


def main() -> int:
    """Run, show and save; 1 where the program has failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long to count (default: %(default)g)")
    parser.add_argument(
        "--warm-up", type=float, default=6.0, help="minutes before that, which do not count (default: %(default)g)"
    )
    parser.add_argument(
        "--away", type=float, default=5.0, help="seconds without a camera, each minute (default: %(default)g)"
    )
    parser.add_argument("--bind", default="tcp://127.0.0.1:5592", help="address of the feed (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, help="JSON file; the curve stands beside it (default: soak.json among the results)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, camera() as (port, leave), outlets() as others:
        recording = Path(folder) / "soak.jsonl"
        words = [f"camera=rtsp://127.0.0.1:{port}/live", "--bind", options.bind, "--record", str(recording), *others]
        with program(words) as process:
            seen, facts = watch(process, leave, options)
            facts |= end(process)
        facts |= recorded(recording)
    minutes = minutes_of(seen)
    rows = summary(seen, minutes, facts)
    show("minutes", [asdict(minute) for minute in minutes])
    show("in all", [{"what": row["what"], "value": str(row["value"])} for row in rows])
    out = write("soak", [*rows, *map(asdict, minutes)], options.out)
    title = (
        f"{options.minutes:g} minutes after {options.warm_up:g} to warm up (before 0); "
        f"the camera is away for {options.away:g} s each minute (grey)"
    )
    write_curve(out.with_suffix(".svg"), title, seen, minutes)
    print(out)
    return int(facts["exit code"] != 0)


@contextmanager
def camera() -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A running camera: its port, and the process to which an absence in seconds is written."""
    command = [sys.executable, "-m", "benchmarks.measures.soak.camera"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.stdin.close()
        process.wait(10)


@contextmanager
def program(words: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """The program in a terminal that somebody reads."""
    mine, its = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    command = [sys.executable, *COMMAND, *words]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=its, stderr=its, env=environment)
    os.close(its)
    reader = threading.Thread(target=_read_to_the_end, args=(mine,), daemon=True)
    reader.start()
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        reader.join(10)
        os.close(mine)


def _read_to_the_end(descriptor: int) -> None:
    with suppress(OSError):  # a terminal's way to say that its other end is closed
        while os.read(descriptor, 65536):
            pass


def watch(
    process: "subprocess.Popen[bytes]", camera_process: "subprocess.Popen[str]", options: argparse.Namespace
) -> tuple[Seen, dict[str, object]]:
    """Subscribe for so long, and send the camera away again and again; times count from the end of the warm-up."""
    seen = Seen()
    health: Health | None = None
    launched_s = time.monotonic()
    with Subscriber(options.bind, capacity=100_000) as feed:
        first = next(
            (message for message in iter(lambda: feed.receive(START_S), None) if isinstance(message, Estimate)), None
        )
        if first is None:
            raise SystemExit(f"no estimate within {START_S:g} s; does the stream run by itself?")
        begun_s = time.monotonic()
        zero_s = begun_s + options.warm_up * 60
        next_look_s, next_absence_s = begun_s - zero_s, begun_s - zero_s + WARM_UP_EVERY_S
        while (now_s := time.monotonic() - zero_s) < options.minutes * 60 and process.poll() is None:
            message = feed.receive(0.1)
            if isinstance(message, Estimate):
                arrived_s = time.monotonic() - zero_s
                seen.arrivals.append((arrived_s, (time.time_ns() - message.t_capture_ns) / 1e6))
            elif isinstance(message, Health):
                health = message
            if now_s >= next_look_s:
                next_look_s += 1.0
                with suppress(OSError):  # it has just ended
                    seen.states.append(look_at(process.pid, now_s))
                seen.lost.append((now_s, feed.lost))
            if now_s >= next_absence_s:
                away_s = WARM_UP_AWAY_S if now_s < 0 else options.away
                next_absence_s = _next_absence_s(next_absence_s)
                send_away(camera_process, away_s)
                seen.absences.append((now_s, now_s + away_s))
        facts: dict[str, object] = {
            "cold start s": round(begun_s - launched_s, 2),
            "estimates received": len(seen.arrivals) + 1,
            "lost to the subscriber": feed.lost,
            "dropped by the subscriber": feed.dropped,
            "unreadable": feed.unreadable,
        }
    if health is not None:
        facts |= {"reconnects": health.reconnects, "skipped frames": health.skipped, "frames": health.frames}
        facts |= {f"dropped by {sink}": count for sink, count in health.dropped.items()}
    return seen, facts


def _next_absence_s(last_s: float) -> float:
    """Close after each other in the warm-up, but for its last moments, and each minute from then on."""
    if last_s >= 0:
        return last_s + EVERY_S
    return last_s + WARM_UP_EVERY_S if last_s < -2 * WARM_UP_EVERY_S else FIRST_ABSENCE_S


def send_away(process: "subprocess.Popen[str]", seconds: float) -> None:
    """Have the camera away for a while, from now on."""
    assert process.stdin is not None
    process.stdin.write(f"{seconds}\n")
    process.stdin.flush()


def end(process: "subprocess.Popen[bytes]") -> dict[str, object]:
    """Ask the program to end, and see how it does."""
    asked_s = time.monotonic()
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    return {"exit code": process.returncode, "SIGTERM to exit s": round(time.monotonic() - asked_s, 2)}


def recorded(path: Path) -> dict[str, object]:
    """What the recording holds."""
    try:
        recording = read_recording(path)
        estimates = sum(isinstance(message, Estimate) for message in recording)
    except RecordingError as error:
        return {"recording": str(error)}
    return {
        "estimates recorded": estimates,
        "missing in the recording": recording.missing,
        "damaged lines": len(recording.broken) + recording.torn,
        "recording MB": round(path.stat().st_size / 2**20, 2),
    }


def summary(seen: Seen, minutes: list[Minute], facts: dict[str, object]) -> list[Row]:
    """The figures of the whole run."""
    warm = after_warm_up(seen)
    absences = [(from_s, to_s) for from_s, to_s in seen.absences if from_s >= 0]
    returns = [wait_s for _, to_s in absences if (wait_s := back_s(seen, to_s)) is not None]
    figures: dict[str, object] = {
        "memory slope MB/h": round(memory_slope_mb_h(warm), 2),
        "memory MB, first and last": f"{warm[0].memory_mb:.1f} {warm[-1].memory_mb:.1f}",
        "threads, first and last": f"{warm[0].threads} {warm[-1].threads}",
        "descriptors, first and last": f"{warm[0].descriptors} {warm[-1].descriptors}",
        "p99 drift ms": round(drift_ms(seen), 2),
        "lost a minute": round(sum(minute.lost for minute in minutes) / len(minutes), 3),
        "camera away": len(absences),
        "camera away in the warm-up": len(seen.absences) - len(absences),
        "memory MB before the warm-up": round(seen.states[0].memory_mb, 1),
        "camera back and seen": len(returns),
        "slowest return s": round(max(returns, default=float("nan")), 2),
    }
    return [{"what": key, "value": value} for key, value in (figures | facts).items()]


if __name__ == "__main__":
    sys.exit(main())
