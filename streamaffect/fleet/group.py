"""One group: what it is to do, what it does, and when it is started again. No Ray, no threads; `now_s` is any clock."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from streamaffect.feed.commands import Command, GroupReport, Reply
from streamaffect.fleet.reports import Order, Report
from streamaffect.fleet.settings import GroupSettings, SupervisionSettings

State = Literal["waiting", "starting", "running", "pausing", "draining", "drained", "ended", "failed"]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A machine of the cluster."""

    id: str
    address: str
    labels: dict[str, str] = field(default_factory=dict)


class Seat(Protocol):
    """A process of a group. Nothing waits, but `ask`.

    node: address of its machine
    """

    node: str

    def report(self) -> Report | None:
        """The next report that has come; None where none has."""
        ...

    def end(self) -> Report | None:
        """The last report once the run is over, also of a process that has died; None while it runs."""
        ...

    def ask(self, command: Command, timeout_s: float) -> Reply:
        """Have a command carried out, from any thread. Raises ControlError where nobody answers in time."""
        ...

    def stop(self) -> None:
        """Ask the run to end in order."""
        ...

    def kill(self) -> None:
        """End the process at once."""
        ...


class Room(Protocol):
    """Room for a group on some node, which is kept until `release`."""

    def node(self) -> tuple[str, str] | None:
        """Id and address of the node on which there is room by now; None where there is none yet."""
        ...

    def launch(self, order: Order) -> Seat:
        """Start a process there."""
        ...

    def release(self) -> None:
        """Give the room back."""
        ...


class Rooms(Protocol):
    """A cluster in which groups find room."""

    def here(self) -> str:
        """Id of the node of this process."""
        ...

    def find(self, group: GroupSettings, *, name: str, avoid: Collection[str]) -> Room:
        """Ask for room for a group, on none of the nodes to be avoided, which are named by their ids."""
        ...

    def nodes(self) -> Sequence[NodeReport]:
        """All nodes that are alive."""
        ...


class Patience:
    """How long to wait before a group is started again: not at all after a first failure, then ever longer."""

    def __init__(self, settings: SupervisionSettings) -> None:
        self._settings = settings
        self._failures = 0

    def failed(self, ran_s: float) -> float:
        """A group has failed after running for so long; returns the seconds to wait."""
        self._failures = 1 if ran_s >= self._settings.stable_s else self._failures + 1
        if self._failures == 1:
            return 0.0
        wait_s = self._settings.backoff_min_s * 2.0 ** min(self._failures - 2, 30)
        return min(wait_s, self._settings.backoff_max_s)

    def forget(self) -> None:
        """Begin anew, as after an order of somebody."""
        self._failures = 0


class Group:
    """A group as its supervisor knows it.

    sources:  what it reads by now; commands may have added and removed some
    wanted:   whether it is to run; a group that is drained is not
    restarts: how often it was started again by itself
    since_s:  when it came into its state; heard_s: when its process last answered
    retry_s:  when to try again, in the state `pausing`
    moves:    its room is given back before the next start
    """

    def __init__(self, name: str, settings: GroupSettings, supervision: SupervisionSettings, now_s: float) -> None:
        self.name = name
        self.settings = settings
        self.sources = list(settings.sources)
        self.wanted = True
        self.state: State = "waiting"
        self.detail = ""
        self.run = ""
        self.restarts = 0
        self.since_s = self.heard_s = self.retry_s = now_s
        self.ran_since_s: float | None = None
        self.room: Room | None = None
        self.seat: Seat | None = None
        self.node = ""
        self.node_id = ""
        self.feed = ""
        self.process = 0
        self.cpu_s = self.memory_mb = 0.0
        self.streams: set[str] = set()
        self.patience = Patience(supervision)
        self.has_answered = False
        self.moves = False
        self.avoided: set[str] = set()

    def enter(self, state: State, now_s: float, detail: str = "") -> None:
        """Come into a state."""
        self.state, self.since_s, self.detail = state, now_s, detail

    def for_s(self, now_s: float) -> float:
        """How long it has been in its state."""
        return now_s - self.since_s

    @property
    def is_settled(self) -> bool:
        """True where nothing is about to change by itself."""
        return self.state in ("running", "drained", "ended", "failed")

    @property
    def report(self) -> GroupReport:
        """What is told of it."""
        return GroupReport(
            group=self.name,
            state=self.state,
            node=self.node if self.seat is not None else "",
            run=self.run,
            streams=sorted(self.streams),
            restarts=self.restarts,
            detail=self.detail,
            process=self.process if self.seat is not None else 0,
            cpu_s=round(self.cpu_s, 2),
            memory_mb=round(self.memory_mb, 1),
        )
