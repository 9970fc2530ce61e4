"""How messages leave the process: without credentials, and with the time at which a live estimate went.

`t_publish_ns` is set here and nowhere else, by each sink that lets estimates out: by the feed as it sends one, by the
recorder as it writes one. Until then it is 0. What was read from a file offline has the file's own time from the start,
and a replayed estimate the time at which it was published first; both stay as they are.
"""

import math
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET

from streamaffect.clock import RECENT_S, Clock, monotonic_ns
from streamaffect.messages import Estimate, Event, Health, LatencySummary, Message, Meta, Voice
from streamaffect.redaction import clean

ESTIMATES_KEPT = 2000
BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)


@dataclass(slots=True)
class Distribution:
    """Latencies since the start: how many fell between each of `BOUNDS_S` and the one before, and beyond the last."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, latency_s: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, latency_s)] += 1
        self.sum_s += latency_s


def presentable(message: Message) -> Message:
    """The message without credentials in its texts, and with characters alone that UTF-8 has.

    Sources hide credentials themselves; this holds for all that others may have put into an event too.
    """
    match message:
        case Event() if message.detail or message.label is not msgspec.UNSET:
            label = message.label if message.label is msgspec.UNSET else clean(message.label)
            return msgspec.structs.replace(message, detail=clean(message.detail), label=label)
        case Health() if message.fault or message.outlets:
            outlets = {name: clean(fault) for name, fault in message.outlets.items()} if message.outlets else UNSET
            return msgspec.structs.replace(message, fault=clean(message.fault), outlets=outlets)
        case Meta():
            return msgspec.structs.replace(message, source=clean(message.source))
    return message


def published(message: Message, now_ns: int) -> Message:
    """The message as it leaves at `now_ns`, UTC.

    A live estimate gets `t_publish_ns`, `latency_ms["publish"]`, the time since it was complete, and
    `latency_ms["total"]`, the time since its capture. What was heard live gets `t_publish_ns`.
    """
    if isinstance(message, Voice) and not message.t_publish_ns:
        return msgspec.structs.replace(message, t_publish_ns=now_ns)
    if not isinstance(message, Estimate) or message.t_publish_ns or not message.latency_ms:
        return message
    total_ms = Clock.now().since_ns(message.t_capture_ns, now_ns) / 1e6
    publish_ms = max(0.0, total_ms - message.latency_ms["total"])
    latency_ms = message.latency_ms | {"publish": publish_ms, "total": total_ms}
    return msgspec.structs.replace(message, t_publish_ns=now_ns, latency_ms=latency_ms)


class Latencies:
    """Capture to publishing over the last `RECENT_S` seconds, by stream; one thread notes, any may ask.

    Refined estimates don't count: they are late on purpose, by the future that they have waited for.
    """

    def __init__(self) -> None:
        self._noted: dict[str, deque[tuple[int, float]]] = {}
        self._all: dict[str, Distribution] = {}
        self._lock = threading.Lock()

    def note(self, message: Message) -> None:
        """Take a message that has just left."""
        if not isinstance(message, Estimate) or message.refines is not None or "total" not in message.latency_ms:
            return
        with self._lock:
            noted = self._noted.setdefault(message.stream, deque(maxlen=ESTIMATES_KEPT))
            noted.append((monotonic_ns(), message.latency_ms["total"]))
            self._all.setdefault(message.stream, Distribution()).add(message.latency_ms["total"] / 1e3)

    def distributions(self) -> Mapping[str, Distribution]:
        """All that were noted since the start, by stream."""
        with self._lock:
            return deepcopy(self._all)

    def summary(self, stream: str) -> LatencySummary | None:
        """Percentiles up to now; None where nothing has left lately."""
        now_ns = monotonic_ns()
        with self._lock:
            noted = list(self._noted.get(stream, ()))
        recent = sorted(ms for at_ns, ms in noted if now_ns - at_ns < RECENT_S * 1e9)
        if not recent:
            return None
        # Nearest rank: the smallest latency that so many percent do not exceed.
        p50, p95, p99 = (recent[math.ceil(percent * len(recent) / 100) - 1] for percent in (50, 95, 99))
        return LatencySummary(p50, p95, p99)
