"""A system clock that is set under a running stream, and a process that is stopped for a while."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamaffect import Subscriber
from streamaffect.messages import Estimate, Event, Health, Message
from tests.support.bundles import write_bundle

ROOT = Path(__file__).parents[2]
WAIT_S = 30.0
DAY_S = 86_400
S = 1_000_000_000

# The system clock, wrong by what stands in a file. Nobody but root may set the real one.
WRONG_CLOCK = """
import sys, time
from pathlib import Path
file, right_ns = Path(sys.argv[1]), time.time_ns
time.time_ns = lambda: right_ns() + int(file.read_text())
from streamaffect.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Subscriber]:
    with Subscriber(f"ipc://{tmp_path}/feed") as feed:
        yield feed


def start(program: list[str], bundle: Path, feed: Subscriber) -> "subprocess.Popen[str]":
    words = [sys.executable, *program, "run", "--source", "demo", "--bundle", str(bundle), "--bind", feed.address]
    return subprocess.Popen([*words, "--no-display"], cwd=ROOT, stderr=subprocess.PIPE, text=True)


def end(process: "subprocess.Popen[str]") -> str:
    process.terminate()
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    return err


def until(feed: Subscriber, is_wanted: Callable[[Message], bool]) -> list[Message]:
    """All messages up to the first that is wanted."""
    taken: list[Message] = []
    while (message := feed.receive(WAIT_S)) is not None:
        taken.append(message)
        if is_wanted(message):
            return taken
    raise AssertionError(f"no such message within {WAIT_S:.0f} s")


def estimates(messages: list[Message]) -> list[Estimate]:
    return [message for message in messages if isinstance(message, Estimate)]


@pytest.mark.parametrize(
    "wrong_by_s", [-DAY_S, DAY_S, -3, 3], ids=["a day back", "a day ahead", "3 s back", "3 s ahead"]
)
def test_a_clock_that_is_set_right_is_followed_and_announced(
    bundle: Path, feed: Subscriber, tmp_path: Path, wrong_by_s: int
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text(str(wrong_by_s * S))
    process = start(["-c", WRONG_CLOCK, str(wrong)], bundle, feed)
    try:
        until(feed, lambda one: isinstance(one, Estimate))
        before = until(feed, lambda one: isinstance(one, Estimate))
        whole = tmp_path / "whole"
        whole.write_text("0")
        whole.replace(wrong)
        told = until(feed, lambda one: isinstance(one, Event) and one.event == "clock_stepped")
        after = until(feed, lambda one: isinstance(one, Health))
        now_ns = time.time_ns()
    finally:
        err = end(process)
    step = told[-1]
    assert isinstance(step, Event) and isinstance(step.step_s, float)
    assert step.step_s == pytest.approx(-wrong_by_s, abs=0.5)
    assert f"the system clock was set {abs(wrong_by_s)}." in step.detail
    assert step.detail in err
    made = estimates(before + told + after)
    assert now_ns - made[-1].t_capture_ns < WAIT_S * S
    assert abs(time.time_ns() - step.t_ns) < WAIT_S * S
    assert all(0 < one.latency_ms["total"] < 2500 for one in made), "a step is no latency"
    assert [one.seq for one in made] == list(range(made[0].seq, made[0].seq + len(made)))


def test_nothing_that_is_old_counts_as_live_after_a_process_was_stopped(bundle: Path, feed: Subscriber) -> None:
    process = start([str(ROOT / "run_stream.py")], bundle, feed)
    try:
        until(feed, lambda one: isinstance(one, Estimate) and one.seq >= 20)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.0)
        while feed.receive(0.1) is not None:
            pass  # what was on its way
        time.sleep(10.0)
        resumed_ns = time.time_ns()
        process.send_signal(signal.SIGCONT)
        after = until(feed, lambda one: isinstance(one, Health) and one.state == "live")
        after += until(feed, lambda one: isinstance(one, Estimate))
    finally:
        end(process)
    made = estimates(after)
    assert made
    assert all(one.t_capture_ns > resumed_ns - S for one in made)
    assert all(one.t_publish_ns - one.t_capture_ns < 3 * S for one in made)
    assert not [one for one in after if isinstance(one, Event) and one.event in ("engine_lost", "detector_lost")]
