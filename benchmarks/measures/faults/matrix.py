"""One fault after the other on one camera under the whole program, as a subscriber sees it."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measures.faults.camera import FPS, RIGHT, SLOW_FPS, running
from benchmarks.measures.faults.program import NAME
from streamaffect import Estimate, Event, Subscriber
from tests.support.fault_proxy import CORRUPT_EACH

ROOT = Path(__file__).parents[3]
CALM_S, HELD_S, AFTER_S = 3.0, 6.0, 4.0
START_S, LONGEST_S = 60.0, 30.0
LOSES = (
    "refused",
    "black hole",
    "headers only",
    "frozen",
    "closed",
    "dripping",
    "wrong password",
    "unknown name",
    "redirect",
)
# So many pictures a second are well while it lasts; the camera is not to be lost.
CHANGES = {"corrupt": FPS * (1 - 1 / CORRUPT_EACH), "other size": FPS, "other rate": SLOW_FPS}
FAULTS = (*LOSES, *CHANGES)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one fault. None where it did not come to that.

    seen_s: from its begin to `source_lost`
    back_s: from its end to the first estimate of a picture that was taken then
    lost:   share of the estimates that a camera without any time of recovery would have given, from begin to end and
            for `AFTER_S` more
    """

    camera: str
    fault: str
    seen_s: float | None
    back_s: float | None
    lost: float


def outcomes(scheme: str, faults: Sequence[str], address: str) -> Iterator[Outcome]:
    """Of these faults, in order. scheme: "rtsp" or "http"; address: of the feed"""
    with running(scheme) as (port, camera), _program(scheme, port, address) as program, Subscriber(address) as feed:
        watch = _Watch(feed)
        watch.until_estimate(START_S)
        for fault in faults:
            if scheme == "http" and fault == "corrupt":  # nothing says where in the bytes a picture is
                continue
            watch.look(CALM_S)
            yield _outcome(scheme, fault, watch, camera, program)


def _outcome(
    scheme: str, fault: str, watch: "_Watch", camera: "subprocess.Popen[str]", program: "subprocess.Popen[str]"
) -> Outcome:
    calm = watch.rate(CALM_S)
    watch.clear()
    began_s = _play(fault, camera, program)
    seen_s = back_s = None
    if fault in LOSES:
        lost_at_s = watch.until_lost(LONGEST_S)
        seen_s = None if lost_at_s is None else lost_at_s - began_s
    watch.look(began_s + HELD_S - time.monotonic())
    well_s = _play("well", camera, program)
    if fault in LOSES:
        back_at_s = watch.until_estimate(LONGEST_S, taken_after_s=well_s)
        back_s = None if back_at_s is None else back_at_s - well_s
    elif watch.was_lost:
        seen_s = 0.0
    watch.look(well_s + AFTER_S - time.monotonic())
    share = min(1.0, calm / FPS)
    wanted = share * (CHANGES.get(fault, 0.0) * (well_s - began_s) + FPS * AFTER_S)
    came = watch.estimates(began_s if fault in CHANGES else well_s, well_s + AFTER_S)
    return Outcome(scheme, fault, seen_s, back_s, max(0.0, 1 - came / wanted))


def _play(fault: str, camera: "subprocess.Popen[str]", program: "subprocess.Popen[str]") -> float:
    """Begin or end a fault; when it has."""
    assert camera.stdin is not None
    assert camera.stdout is not None
    assert program.stdin is not None
    program.stdin.write("unknown\n" if fault == "unknown name" else "known\n")
    program.stdin.flush()
    camera.stdin.write(f"{fault}\n")
    camera.stdin.flush()
    camera.stdout.readline()
    return time.monotonic()


class _Watch:
    """What has come, each with the monotonic time of its arrival."""

    def __init__(self, feed: Subscriber) -> None:
        self._feed = feed
        self._arrivals: list[float] = []
        self.was_lost = False

    def clear(self) -> None:
        """Forget what came."""
        self._arrivals.clear()
        self.was_lost = False

    def rate(self, seconds: float) -> float:
        """Estimates a second in the last `seconds`."""
        now_s = time.monotonic()
        return self.estimates(now_s - seconds, now_s) / seconds

    def estimates(self, from_s: float, to_s: float) -> int:
        """How many came in this time."""
        return sum(from_s <= at_s < to_s for at_s in self._arrivals)

    def look(self, seconds: float) -> None:
        """Take what comes for so long."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._take(left_s)

    def until_lost(self, seconds: float) -> float | None:
        """Wait for `source_lost`; when it came."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0 and not self.was_lost:
            self._take(left_s)
        return time.monotonic() if self.was_lost else None

    def until_estimate(self, seconds: float, *, taken_after_s: float = 0.0) -> float | None:
        """Wait for an estimate of a picture that was taken after this; when it came."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            message = self._take(left_s)
            if isinstance(message, Estimate):
                age_s = (time.time_ns() - message.t_capture_ns) / 1e9
                if time.monotonic() - age_s > taken_after_s:
                    return time.monotonic()
        return None

    def _take(self, seconds: float) -> object:
        message = self._feed.receive(seconds)
        if isinstance(message, Estimate):
            self._arrivals.append(time.monotonic())
        elif isinstance(message, Event) and message.event == "source_lost":
            self.was_lost = True
        return message


@contextmanager
def _program(scheme: str, port: int, address: str) -> Iterator["subprocess.Popen[str]"]:
    url = f"camera={scheme}://{RIGHT.user}:{RIGHT.password}@{NAME}:{port}/live"
    words = ["run", "--no-display", "--source", url, "--bind", address]
    command = [sys.executable, "-m", "benchmarks.measures.faults.program", *words]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.communicate()
