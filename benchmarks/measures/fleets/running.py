"""Fleets to be measured: the command as users start it, a subscriber that notes what it hears, and a cluster of several
nodes on one machine."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from streamaffect import Controller, Subscriber
from streamaffect.errors import StreamAffectError
from streamaffect.feed.commands import GroupReport
from streamaffect.messages import Estimate, Event, Message, Meta

START_S = 120.0
STORE_BYTES = 80 << 20
POLL_S = 0.1
RECENT = 100


class RunningFleet:
    """The command `streamaffect fleet`, and what a subscriber has heard of it.

    heard: messages with the time of their arrival (`time.monotonic`), in order
    """

    def __init__(self, settings: Path, bind: str, *words: str) -> None:
        command = [sys.executable, "-m", "streamaffect", "fleet", "--config", str(settings), "--bind", bind]
        self.started_s = time.monotonic()
        self.process = subprocess.Popen(
            [*command, "--no-display", *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.bind = bind
        self.heard: list[tuple[float, Message]] = []
        self._subscriber = Subscriber(bind)
        self._controller = Controller(bind)

    @property
    def control(self) -> Controller:
        """For commands to it."""
        return self._controller

    def groups(self) -> dict[str, GroupReport]:
        """How its groups do; empty while it does not answer."""
        try:
            groups = self._controller.status().groups
        except StreamAffectError:
            return {}
        return {one.group: one for one in groups} if isinstance(groups, list) else {}

    def listen(self, until: Callable[[Message], bool], within_s: float) -> Message | None:
        """Hear messages until one is the right one, which is returned; None where none was in time."""
        deadline_s = time.monotonic() + within_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            message = self._subscriber.receive(min(left_s, POLL_S))
            if message is None:
                if self.process.poll() is not None:
                    return None
                continue
            self.heard.append((time.monotonic(), message))
            if until(message):
                return message
        return None

    def listen_for(self, seconds: float) -> None:
        """Hear what comes for so long."""
        self.listen(lambda _: False, seconds)

    def await_streams(self, names: Sequence[str], within_s: float = START_S) -> float:
        """Wait for an estimate of each stream; returns the seconds. Raises TimeoutError."""
        started_s = time.monotonic()
        missing = set(names)

        def has_all(message: Message) -> bool:
            if isinstance(message, Estimate):
                missing.discard(message.stream)
            return not missing

        if self.listen(has_all, within_s) is None:
            raise TimeoutError(f"no estimates of {missing} within {within_s:g} s; {self._last_words()}")
        return time.monotonic() - started_s

    def await_groups(self, is_right: Callable[[dict[str, GroupReport]], bool], within_s: float = START_S) -> float:
        """Wait until the groups do as they should, while listening; returns the seconds. Raises TimeoutError."""
        started_s = time.monotonic()
        while not is_right(groups := self.groups()):
            if time.monotonic() - started_s > within_s or self.process.poll() is not None:
                raise TimeoutError(f"after {within_s:g} s: {groups}; {self._last_words()}")
            self.listen_for(POLL_S)
        return time.monotonic() - started_s

    def back(self, stream: str, since_s: float, within_s: float = START_S) -> tuple[float, int]:
        """Wait for a new run of a stream, whose `seq` begins anew: seconds since then, and estimates lost in between.

        They are counted by the stream's own clock and rate. Raises TimeoutError where no run comes.
        """
        old = self._estimates(stream)[-RECENT:]

        def is_new(message: Message) -> bool:
            if not isinstance(message, Estimate) or message.stream != stream:
                return False
            if old and message.seq <= old[-1].seq:
                return True
            old.append(message)
            return False

        new = self.listen(is_new, within_s)
        if not isinstance(new, Estimate):
            raise TimeoutError(f"{stream} is not back within {within_s:g} s: {self.groups()}; {self._last_words()}")
        steps = [later.t_capture_ns - earlier.t_capture_ns for earlier, later in pairwise(old)]
        period_ns = sorted(steps)[len(steps) // 2]
        lost = round((new.t_capture_ns - old[-1].t_capture_ns) / period_ns) - 1
        return self.heard[-1][0] - since_s, max(0, lost)

    def run_of(self, stream: str) -> object:
        """The id of the run that was heard last of a stream."""
        runs = [message.run for _, message in self.heard if isinstance(message, Meta) and message.stream == stream]
        return runs[-1] if runs else None

    def events(self, stream: str) -> list[str]:
        """The names of all events of a stream so far."""
        return [message.event for _, message in self.heard if isinstance(message, Event) and message.stream == stream]

    def end(self, number: signal.Signals = signal.SIGTERM, within_s: float = 30.0) -> tuple[int, float]:
        """End it by a signal; returns its exit code and the seconds that it took."""
        started_s = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(within_s)
        return code, time.monotonic() - started_s

    def close(self) -> None:
        """End it somehow, and the subscriber."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._subscriber.close()
        self._controller.close()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _last_words(self) -> str:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.communicate(timeout=20)[1][-2000:]
        except subprocess.TimeoutExpired:
            return "it does not end"

    def _estimates(self, stream: str) -> list[Estimate]:
        return [message for _, message in self.heard if isinstance(message, Estimate) and message.stream == stream]


@contextmanager
def several_nodes(folder: Path, *, cpus: Sequence[float]) -> Iterator[Any]:
    """A Ray cluster of one head without CPUs for groups and a node for each number, all on this machine.

    Its nodes ask for a token, in the file `folder / "token"`. Gives Ray's own `Cluster`.
    """
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    set_before = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_enable_metrics_collection": "0",
        "RAY_worker_niceness": "0",
        "RAY_TMPDIR": str(folder),
    }
    (folder / "ray").mkdir()
    os.environ.update(set_before)
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "object_store_memory": STORE_BYTES,
            "include_dashboard": False,
            "_system_config": {
                "health_check_initial_delay_ms": 0,
                "health_check_period_ms": 1000,
                "health_check_timeout_ms": 2000,
                "health_check_failure_threshold": 3,
            },
        },
    )
    try:
        for number in cpus:
            add_node(cluster, number)
        yield cluster
    finally:
        end: Callable[[], None] = cluster.shutdown
        end()
        for name in set_before:
            os.environ.pop(name, None)


def add_node(cluster: Any, cpus: float, **labels: str) -> Any:
    """A further node."""
    return cluster.add_node(num_cpus=cpus, object_store_memory=STORE_BYTES, labels=labels or None)


def raylet_of(node: Any) -> int:
    """The process of a node that its others belong to."""
    return int(node.all_processes["raylet"][0].process.pid)


def descendants(process: int) -> list[int]:
    """All processes below one, by the system's own table."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except OSError:
                continue
    found: list[int] = []
    waiting = [process]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def cpu_s(process: int) -> float:
    """CPU seconds of a process so far; 0 for one that has ended."""
    try:
        fields = _stat(process)
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _stat(process: int) -> list[str]:
    """The fields of a process behind its name."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
