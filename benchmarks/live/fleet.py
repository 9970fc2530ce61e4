"""What a fleet costs beside bare processes, and how soon its streams are back when something dies.

Costs: the same synthetic cameras, each in a process of its own, as `streamaffect run` and as a group of `streamaffect
fleet`, at the same time; CPU of the processes of both kinds, and of all that a fleet has beside those. Faults: on a
cluster of several nodes on this machine; "back" is from the fault to the first estimate of the new run at a subscriber,
"lost" the estimates that are missing between the two runs by the stream's own clock.

    python benchmarks/live/fleet.py
    python benchmarks/live/fleet.py --only kills --kills 20
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare checkout is enough, wherever it is started from

import argparse
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import Any

from benchmarks.measures.fleets.running import (
    START_S,
    RunningFleet,
    add_node,
    cpu_s,
    descendants,
    raylet_of,
    several_nodes,
)
from benchmarks.measures.report import percentiles, show, write
from streamaffect import Subscriber
from streamaffect.messages import Estimate

JOINT, FIRST_PORT = "tcp://127.0.0.1:5790", 5791
SOURCE = "synthetic:faces=1,fps=25,size=640x360"
SETTLE_S = 5.0
CAMERAS = 3  # in one process, beside one camera a process
QUICK = "[supervision]\nsilence_s = 3\n"
Row = dict[str, object]


def main() -> int:
    """Measure, show and save."""
    parts: dict[str, Callable[[argparse.Namespace, Path], list[Row]]] = {
        "cost": cost,
        "kills": kills,
        "nodes": nodes,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2, help="of each kind, for the costs (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=40.0, help="for the costs (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=10, help="of a group's process (default: %(default)s)")
    parser.add_argument("--only", choices=tuple(parts), action="append", help="a part alone; repeatable")
    parser.add_argument("--out", type=Path, help="JSON file (default: among the results)")
    options = parser.parse_args()
    load = os.getloadavg()[1]
    rows: list[Row] = [{"what": "load of the machine at the start, over 5 minutes", "value": round(load, 1)}]
    show("machine", rows)
    with tempfile.TemporaryDirectory(prefix="sa-", dir="/tmp") as folder:
        for name in options.only or parts:
            found = parts[name](options, Path(folder))
            for _, alike in groupby(found, key=tuple):
                show(name, list(alike))
            rows += found
    print(write("fleet", rows, options.out, packages=("ray", "pyzmq", "mediapipe", "onnxruntime")))
    return 0


def cost(options: argparse.Namespace, folder: Path) -> list[Row]:
    """CPU of the same cameras as bare processes and as groups, at the same time, so that others' load falls on both."""
    rows: list[Row] = []
    for cameras, processes in ((1, options.processes), (CAMERAS, 1)):
        rows += _cost(cameras, processes, options.seconds, folder)
    return rows


def _cost(cameras: int, processes: int, seconds: float, folder: Path) -> list[Row]:
    """So many cameras a process, and so many processes of either kind."""
    runs = [[f"s{process}-{camera}" for camera in range(cameras)] for process in range(processes)]
    groups = [f"[groups.g{number}]\nsources = {_sources(names)}\ncpus = 0.25\n" for number, names in enumerate(runs)]
    settings = folder / f"cost-{cameras}.toml"
    settings.write_text("\n".join(['[settings.engine]\nprecision = "fp32"', *groups]))
    fleet = RunningFleet(settings, JOINT)
    bare: list[subprocess.Popen[bytes]] = []
    addresses = [f"tcp://127.0.0.1:{FIRST_PORT + number}" for number in range(processes)]
    names = [name for run in runs for name in run]
    with ExitStack() as subscribers:
        heard = [
            subscribers.enter_context(Subscriber(address, stream=name))
            for address, run in zip(addresses, runs, strict=True)
            for name in run
        ]
        joint = [subscribers.enter_context(Subscriber(JOINT, stream=name)) for name in names]
        try:
            fleet.await_streams(names)
            bare = [_bare(run, address) for run, address in zip(runs, addresses, strict=True)]
            for one in heard:
                while not isinstance(one.receive(START_S), Estimate):
                    pass
            fleet.listen_for(SETTLE_S)
            own = [one.process for one in fleet.groups().values()]
            beside = [one for one in (fleet.process.pid, *descendants(fleet.process.pid)) if one not in own]
            before = [_spent([run.pid for run in bare]), _spent(own), _spent(beside)]
            counted = [_counted(heard), _counted(joint)]
            started_s = time.monotonic()
            fleet.listen_for(seconds)
            took_s = time.monotonic() - started_s
            after = [_spent([run.pid for run in bare]), _spent(own), _spent(beside)]
            estimates = [_counted(heard) - counted[0], _counted(joint) - counted[1]]
        finally:
            for run in bare:
                run.terminate()
            for run in bare:
                run.wait()
            fleet.close()
    alone_ms, group_ms = (1e3 * (after[kind] - before[kind]) / max(1, estimates[kind]) for kind in (0, 1))
    return [
        {
            "cameras a process": cameras,
            "processes of each kind": processes,
            "bare, CPU ms an estimate": round(alone_ms, 2),
            "as groups": round(group_ms, 2),
            "groups against bare, % (goal 5)": round(100 * (group_ms / alone_ms - 1), 1),
            "estimates, bare": estimates[0],
            "of groups": estimates[1],
            "Ray, supervisor and proxy beside them, % of a core": round(100 * (after[2] - before[2]) / took_s, 1),
        }
    ]


def _sources(names: Sequence[str]) -> list[str]:
    return [f"{name}={SOURCE}" for name in names]


def _spent(processes: Sequence[int]) -> float:
    return sum(map(cpu_s, processes))


def _counted(subscribers: Sequence[Subscriber]) -> int:
    """Estimates that the streams have counted."""
    found = [subscriber.latest() for subscriber in subscribers]
    return sum(one.seq for one in found if one is not None)


def _bare(names: Sequence[str], address: str) -> "subprocess.Popen[bytes]":
    """A bare process."""
    command = [sys.executable, "-m", "streamaffect", "run", "--no-display", "--control", "off", "--bind", address]
    sources = [word for source in _sources(names) for word in ("--source", source)]
    return subprocess.Popen([*command, *sources, "--set", "engine.precision=fp32"])


def kills(options: argparse.Namespace, folder: Path) -> list[Row]:
    """A group's process is killed again and again; another one runs beside it and must lose nothing."""
    settings = folder / "kills.toml"
    settings.write_text(
        f'[groups.hit]\nsources = ["hit={SOURCE}"]\n[groups.other]\nsources = ["other={SOURCE}"]\n'
        "[supervision]\nstable_s = 1\n"
    )
    fleet = RunningFleet(settings, JOINT)
    try:
        started_s = fleet.await_streams(["hit", "other"])
        found = []
        for _ in range(options.kills):
            fleet.listen_for(2.5)
            process = fleet.groups()["hit"].process
            at_s = time.monotonic()
            os.kill(process, signal.SIGKILL)
            found.append(fleet.back("hit", at_s))
        others = {fleet.run_of("other")}
        _, took_s = fleet.end()
    finally:
        fleet.close()
    seconds, lost = [one[0] for one in found], [one[1] for one in found]
    return [
        _row("a group's process is killed", seconds, lost, "3"),
        {"what": "start to the first estimates of all groups, s", "value": round(started_s, 2)},
        {"what": "other groups started anew by that", "value": len(others) - 1},
        {"what": "SIGTERM to the end of everything, s", "value": round(took_s, 2)},
    ]


def nodes(_: argparse.Namespace, folder: Path) -> list[Row]:
    """Two nodes, one of which is killed; a third comes; one is cut off and comes back; one is drained."""
    settings = folder / "nodes.toml"
    names = ["a", "b"]
    settings.write_text(
        "".join(f'[groups.{name}]\nsources = ["{name}={SOURCE}"]\ncpus = 1\n' for name in names)
        + QUICK
        + f'[cluster]\naddress = "ADDRESS"\ntoken_file = "{folder / "token"}"\n'
    )
    with several_nodes(folder, cpus=[1]) as cluster:
        settings.write_text(settings.read_text().replace("ADDRESS", cluster.address))
        fleet = RunningFleet(settings, JOINT)
        try:
            return _faults_of_nodes(fleet, cluster)
        finally:
            fleet.close()


def _faults_of_nodes(fleet: RunningFleet, cluster: Any) -> list[Row]:
    rows = _Said()
    fleet.await_groups(lambda groups: sorted(one.state for one in groups.values()) == ["running", "waiting"])
    at_s = time.monotonic()
    second = add_node(cluster, 1)
    fleet.await_streams(["a", "b"])
    rows.append(_row("a node is added for a group that waits", [time.monotonic() - at_s], [0], "–"))

    third = add_node(cluster, 2)
    fleet.listen_for(3.0)
    where = {name: _node_of(cluster, one.process) for name, one in fleet.groups().items()}
    hit = next(name for name, node in where.items() if node is second)
    at_s = time.monotonic()
    os.kill(raylet_of(second), signal.SIGKILL)
    seconds, lost = fleet.back(hit, at_s)
    rows.append(_row("a node is killed", [seconds], [lost], "10"))

    fleet.listen_for(3.0)
    cut = _node_of(cluster, fleet.groups()[hit].process)
    other = add_node(cluster, 2)
    frozen = [raylet_of(cut), *descendants(raylet_of(cut))]
    old = fleet.groups()[hit].process
    at_s = time.monotonic()
    for process in frozen:
        os.kill(process, signal.SIGSTOP)
    seconds, lost = fleet.back(hit, at_s)
    rows.append(_row("a node is cut off (SIGSTOP)", [seconds], [lost], "15"))
    for process in frozen:
        os.kill(process, signal.SIGCONT)
    at_s = time.monotonic()
    while cpu_s(old) and Path(f"/proc/{old}").exists() and time.monotonic() - at_s < 60:
        fleet.listen_for(0.1)
    rows.append(_row("it is back: its old process has ended", [time.monotonic() - at_s], [0], "15"))

    spare = add_node(cluster, 2)
    at_s = time.monotonic()
    busy = _node_of(cluster, fleet.groups()[hit].process)
    fleet.control.drain(str(busy.node_id))
    seconds, lost = fleet.back(hit, at_s)
    rows.append(_row("a node is drained", [seconds], [lost], "10"))
    fleet.listen_for(2.0)
    at_s = time.monotonic()
    fleet.control.restart()
    found = [fleet.back(name, at_s) for name in fleet.groups()]
    rows.append(_row("a rolling restart, each group", [one[0] for one in found], [one[1] for one in found], "–"))
    assert None not in (third, other, spare)
    return rows


class _Said(list[Row]):
    """Rows that are shown as they come, since each takes its time."""

    def append(self, row: Row) -> None:
        """Show a row and keep it."""
        print(row, flush=True)
        super().append(row)


def _node_of(cluster: Any, process: int) -> Any:
    """The node of a cluster to which a process belongs."""
    return next(node for node in [*cluster.worker_nodes] if process in descendants(raylet_of(node)))


def _row(what: str, seconds: Sequence[float], lost: Sequence[int], goal: str) -> Row:
    median, most = percentiles(seconds, (0.5,))[0], max(seconds)
    return {
        "what": what,
        "back after s, median": round(median, 2),
        "at most": round(most, 2),
        "estimates lost, median": percentiles(lost, (0.5,))[0],
        "goal s": goal,
        "times": len(seconds),
    }


if __name__ == "__main__":
    sys.exit(main())
