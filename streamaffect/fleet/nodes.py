"""Machines that groups are kept from: those that somebody drains, and for a while those that were silent."""

from streamaffect.errors import ControlError
from streamaffect.fleet.group import NodeReport, Rooms

QUARANTINE_S = 60.0


class Shunned:
    """Nodes to avoid, by their ids."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._drained: dict[str, str] = {}
        self._silent: dict[str, float] = {}

    def silent(self, node: str, now_s: float) -> None:
        """A process on this node does not answer: where there are others, take those for a while."""
        if any(other.id != node for other in self._rooms.nodes()):
            self._silent[node] = now_s + QUARANTINE_S

    def drain(self, name: str) -> NodeReport:
        """Keep groups from the node of this address or id, and return it. Raises ControlError where there is none."""
        nodes = self._rooms.nodes()
        found = [node for node in nodes if name in (node.id, node.address)]
        if len(found) > 1:
            ids = ", ".join(node.id for node in found)
            raise ControlError(f"{name}: {len(found)} nodes have this address; name one by its id: {ids}")
        if not found:
            known = ", ".join(sorted({node.address for node in nodes}))
            raise ControlError(f"{name!r}: is neither a group nor a node; nodes are {known}")
        self._drained[found[0].id] = found[0].address
        return found[0]

    def admit(self, name: str) -> bool:
        """Let a drained node in again; False where it was none."""
        found = [node for node, address in self._drained.items() if name in (node, address)]
        for node in found:
            del self._drained[node]
        return bool(found)

    @property
    def drained(self) -> set[str]:
        """Those that nobody may be sent to."""
        return set(self._drained)

    def now(self, now_s: float) -> set[str]:
        """Those too to which nobody should be sent, if there are others."""
        self._silent = {node: until_s for node, until_s in self._silent.items() if until_s > now_s}
        return set(self._drained) | set(self._silent)
