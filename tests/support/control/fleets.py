"""A cluster for tests without Ray: rooms and seats that do what a test tells them, and a feed that notes."""

from collections.abc import Collection, Sequence
from pathlib import Path

from streamaffect.feed.commands import Command, Reply
from streamaffect.feed.keys import ClientKeys
from streamaffect.fleet.group import NodeReport
from streamaffect.fleet.reports import Order, Report
from streamaffect.fleet.settings import GroupSettings
from streamaffect.messages import Message

HERE = "node-0"


class ToldSeat:
    """A process that says what a test has it say."""

    def __init__(self, order: Order, node: str) -> None:
        self.node = node
        self.order = order
        self.asked: list[Command] = []
        self.is_stopping = self.is_killed = False
        self.is_silent = False
        self.state = "starting"
        self._end: Report | None = None

    @property
    def feed(self) -> str:
        """Where it publishes."""
        return f"ipc://{self.order.socket}"

    def runs(self) -> None:
        """From now on it reports that it runs."""
        self.state = "running"

    def ends(self, *, code: int = 0, error: str = "", unreachable: bool = False) -> None:
        """Its run is over, or it has died, or nobody answers there any more."""
        self._end = Report(state="over", code=code, error=error, unreachable=unreachable)

    def report(self) -> Report | None:
        return None if self.is_silent else Report(state=self.state, feed=self.feed if self.state == "running" else "")

    def end(self) -> Report | None:
        return self._end

    def ask(self, command: Command, timeout_s: float) -> Reply:
        self.asked.append(command)
        return Reply(ok=True, text=f"{command}: done")

    def stop(self) -> None:
        self.is_stopping = True

    def kill(self) -> None:
        self.is_killed = True


class ToldRoom:
    """Room on the first node that has any."""

    def __init__(self, rooms: "ToldRooms", group: GroupSettings, avoid: Collection[str]) -> None:
        self._rooms = rooms
        self._cpus = group.cpus
        self._avoid = set(avoid)
        self._node = ""

    def node(self) -> tuple[str, str] | None:
        for node, free in self._rooms.free.items():
            if not self._node and free >= self._cpus and node not in self._avoid:
                self._node = node
                self._rooms.free[node] -= self._cpus
        return (self._node, f"address-of-{self._node}") if self._node in self._rooms.free else None

    def launch(self, order: Order) -> ToldSeat:
        seat = ToldSeat(order, f"address-of-{self._node}")
        self._rooms.seats.append(seat)
        return seat

    def release(self) -> None:
        if self._node in self._rooms.free:
            self._rooms.free[self._node] += self._cpus
        self._node = ""


class ToldRooms:
    """A cluster of nodes with so many free CPUs each. seats: all that were ever launched."""

    def __init__(self, *cpus: float) -> None:
        self.free = {f"node-{number}": float(free) for number, free in enumerate(cpus)}
        self.seats: list[ToldSeat] = []

    def here(self) -> str:
        return HERE

    def find(self, group: GroupSettings, *, name: str, avoid: Collection[str]) -> ToldRoom:
        return ToldRoom(self, group, avoid)

    def nodes(self) -> Sequence[NodeReport]:
        return [NodeReport(node, f"address-of-{node}") for node in self.free]


class ToldFeed:
    """A joint feed that notes what it is told. joined: the feeds that it hears; said: what was published."""

    def __init__(self) -> None:
        self.joined: dict[str, ClientKeys | Path | None] = {}
        self.said: list[Message] = []

    def join(self, address: str, *, keys: ClientKeys | Path | None = None) -> None:
        self.joined[address] = keys

    def leave(self, address: str) -> None:
        del self.joined[address]

    def publish(self, message: Message) -> None:
        self.said.append(message)
