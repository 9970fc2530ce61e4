"""Where groups run: room in the Ray cluster that is kept for a group, and the actor in it.

The room outlives the actor, so that a group whose process has died finds its place again at once; when its node is
lost, Ray finds other room by itself. Nothing here waits, but `ask`.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayError
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from streamaffect.errors import ControlError
from streamaffect.feed.commands import Command, Reply, decode_reply, encode_command
from streamaffect.fleet.group import NodeReport
from streamaffect.fleet.reports import Order, Report, decode_report, encode
from streamaffect.fleet.settings import GroupSettings
from streamaffect.fleet.worker import Worker

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 12
PERIOD_S = 2.0  # of reports, once the run runs, at most: each costs a millisecond of CPU on both sides
REPORTS_A_LEASE = 9  # at least; three before a process counts as silent
DOUBTS = 1  # how often a connection that has broken is tried again, each time for about a second
NODE_ID = "ray.io/node-id"


class RaySeat:
    """The actor of a group. Used by one thread, but for `ask`.

    node: address of its machine
    """

    def __init__(self, order: Order, room: PlacementGroup, *, node: str, gpus: float) -> None:
        self.node = node
        strategy = PlacementGroupSchedulingStrategy(placement_group=room, placement_group_bundle_index=0)
        actor: Any = ray.remote(Worker)
        self._actor = actor.options(
            # What the room has is the group's; Ray need not count it twice, but for GPUs, which it makes visible.
            num_cpus=0,
            num_gpus=gpus,
            max_concurrency=CALLS_AT_ONCE,
            max_restarts=0,
            scheduling_strategy=strategy,
        ).remote(encode(order))
        self._end = self._actor.wait.remote()
        self._asked: Any = None
        self._next_s = 0.0
        self._period_s = min(PERIOD_S, order.silence_s / REPORTS_A_LEASE)
        self._doubts = 0

    def report(self) -> Report | None:
        """The next report that has come, while it asks for another; None where none has. Never waits."""
        now_s = time.monotonic()
        if self._asked is None and now_s >= self._next_s:
            self._asked = self._actor.report.remote()
        if self._asked is None or not ray.wait([self._asked], timeout=0)[0]:
            return None
        asked, self._asked = self._asked, None
        with suppress(RayError):
            report = decode_report(ray.get(asked))
            self._doubts = 0
            self._next_s = now_s + (self._period_s if report.state == "running" else 0.0)
            return report
        return None

    def end(self) -> Report | None:
        """The last report once the run is over; one of a process that has died says so. None while it runs.

        Where the connection breaks, Ray knows of a process that has died within a second. Of a machine that is gone it
        learns much later, by questions that are not answered: nobody is waited for who can't be reached a second time.
        """
        if not ray.wait([self._end], timeout=0)[0]:
            return None
        try:
            return decode_report(ray.get(self._end))
        except ActorUnavailableError:
            if self._doubts < DOUBTS:
                self._doubts += 1
                self._end = self._actor.wait.remote()
                return None
            return Report(
                state="over", code=1, error=f"its process on {self.node} cannot be reached any more", unreachable=True
            )
        except RayError as error:
            return Report(state="over", code=1, error=f"its process on {self.node} has died ({_why(error)})")

    def ask(self, command: Command, timeout_s: float) -> Reply:
        """Have a command carried out by the run. Raises ControlError where nobody answers in time."""
        try:
            return decode_reply(ray.get(self._actor.do.remote(encode_command(command)), timeout=timeout_s))
        except RayError as error:
            raise ControlError(f"the group does not answer ({type(error).__name__})", transient=True) from None

    def stop(self) -> None:
        """Ask the run to end in order."""
        self._actor.stop.remote()

    def kill(self) -> None:
        """End the process at once."""
        with suppress(RayError, ValueError):
            ray.kill(self._actor, no_restart=True)


class RayRoom:
    """Room for a group on some node, kept from construction until `release`."""

    def __init__(self, group: GroupSettings, *, name: str, avoid: Collection[str]) -> None:
        self._gpus = group.gpus
        bundle = {"CPU": group.cpus, **({"GPU": group.gpus} if group.gpus else {})}
        selector = dict(group.labels)
        if avoid:
            selector[NODE_ID] = f"!in({','.join(sorted(avoid))})"
        self._room = placement_group([bundle], strategy="PACK", name=name, bundle_label_selector=[selector])
        self._node: tuple[str, str] | None = None

    def node(self) -> tuple[str, str] | None:
        """Id and address of the node on which there is room by now; None where there is none yet."""
        found = placement_group_table(self._room)
        self._node = None
        if found.get("state") == "CREATED":
            node_id = found["bundles_to_node_id"][0]
            alive = {node["NodeID"]: node["NodeManagerAddress"] for node in _nodes() if node["Alive"]}
            if node_id in alive:
                self._node = (node_id, alive[node_id])
        return self._node

    def launch(self, order: Order) -> RaySeat:
        """Start a process there; after `node` has found it."""
        assert self._node is not None
        return RaySeat(order, self._room, node=self._node[1], gpus=self._gpus)

    def release(self) -> None:
        """Give the room back."""
        with suppress(RayError, ValueError):
            remove_placement_group(self._room)


class RayRooms:
    """All rooms of a cluster. own: our own one, which has but one node."""

    def here(self) -> str:
        """Id of the node of this process."""
        return str(ray.get_runtime_context().get_node_id())

    def find(self, group: GroupSettings, *, name: str, avoid: Collection[str]) -> RayRoom:
        """Ask for room for a group, where possible on none of these nodes."""
        return RayRoom(group, name=name, avoid=avoid)

    def nodes(self) -> Sequence[NodeReport]:
        """All nodes that are alive."""
        return [
            NodeReport(id=node["NodeID"], address=node["NodeManagerAddress"], labels=dict(node.get("Labels") or {}))
            for node in _nodes()
            if node["Alive"]
        ]


def _nodes() -> list[dict[str, Any]]:
    nodes: Callable[[], list[dict[str, Any]]] = ray.nodes
    return nodes()


def _why(error: RayError) -> str:
    """What Ray says of a death: of a process that could not even begin, such as without streamaffect, the last line."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines and "creation task" in lines[0] else type(error).__name__
