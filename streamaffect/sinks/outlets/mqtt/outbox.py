"""What waits for a broker: of each retained topic the newest state, and of all others a bounded queue.

A state that was replaced by a newer one is nothing that anybody misses; an event that found no room is counted.
"""

import threading
from collections import deque
from dataclasses import dataclass

MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class Publication:
    """One message for a broker.

    retain: the broker keeps it and gives it to whoever comes later
    qos:    0 at most once, 1 at least once
    """

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 0


class Outbox:
    """Filled by the sink's thread, emptied by that of the connection."""

    def __init__(self, most: int = MOST_EVENTS) -> None:
        self._states: dict[str, Publication] = {}
        self._fresh: dict[str, None] = {}
        self._passing: deque[Publication] = deque()
        self._most = most
        self._lost = 0
        self._lock = threading.Lock()

    @property
    def lost(self) -> int:
        """Events that found no room."""
        return self._lost

    def put(self, publication: Publication) -> None:
        """Let it wait; never waits itself."""
        with self._lock:
            if publication.retain:
                self._states[publication.topic] = publication
                self._fresh[publication.topic] = None
                return
            if len(self._passing) >= self._most:
                self._passing.popleft()
                self._lost += 1
            self._passing.append(publication)

    def take(self) -> Publication | None:
        """What is next: states first, so that an event finds its stream known."""
        with self._lock:
            if self._fresh:
                topic = next(iter(self._fresh))
                del self._fresh[topic]
                return self._states[topic]
            return self._passing.popleft() if self._passing else None

    def again(self) -> None:
        """Let all states be sent again: a broker that was away may have forgotten them."""
        with self._lock:
            self._fresh = dict.fromkeys(self._states)

    @property
    def is_empty(self) -> bool:
        """True where nothing waits."""
        return not self._fresh and not self._passing
