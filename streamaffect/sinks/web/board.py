"""What the page shows, as it stands: the newest estimate of each face, what is known of each stream, the last events.

One thread puts messages up, any others read. A reader asks for what is new since it asked last, so that one that asks
seldom gets the newest of everything once and never a queue. A message is written as JSON when somebody first asks.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import WireError
from streamaffect.feed import wire
from streamaffect.messages import Estimate, Event, Health, Message, Meta, Voice
from streamaffect.sinks.publishing import published

EVENTS_KEPT = 2000
EVENTS_AT_FIRST = 50
STALE_NS = 3_000_000_000
MOST_FACES = 1000


@dataclass(slots=True)
class _Entry:
    """A message, when it came up, and its JSON once somebody has asked for it."""

    message: Message
    version: int
    at_ns: int
    payload: bytes = b""


class Board:
    """The newest messages. Refined estimates are left out: they speak of a moment that was shown before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = Clock.now()
        self._version = 0
        self._newest: dict[tuple[str, str, int], _Entry] = {}
        self._events: deque[_Entry] = deque(maxlen=EVENTS_KEPT)

    def put(self, message: Message) -> None:
        """Put a message up in the place of the one before it."""
        if isinstance(message, Estimate) and message.refines is not None:
            return
        now_ns = monotonic_ns()
        message = published(message, self._clock.utc(now_ns))
        with self._lock:
            self._version += 1
            entry = _Entry(message, self._version, now_ns)
            if isinstance(message, Event):
                self._events.append(entry)
                self._forget(message)
                return
            key = _key(message)
            self._newest.pop(key, None)  # so that the newest stands last
            self._newest[key] = entry
            if len(self._newest) > MOST_FACES:
                del self._newest[next(iter(self._newest))]

    def since(self, version: int, *, stream: str | None = None) -> tuple[int, list[bytes]]:
        """The JSON of what came up after that version, and the version now; at first (0) the state and a few events.

        What is known of a stream stands before what happened in it. `stream` asks for one alone.
        """
        with self._lock:
            if version == self._version:
                return version, []
            now_ns = monotonic_ns()
            state = [entry for entry in self._newest.values() if entry.version > version and _is_fresh(entry, now_ns)]
            events = [entry for entry in self._events if entry.version > version]
            if version == 0:
                events = events[-EVENTS_AT_FIRST:]
            wanted = [one for one in (*_in_order(state), *events) if stream in (None, one.message.stream)]
            return self._version, [text for entry in wanted if (text := _payload(entry))]

    def estimates(self, *, stream: str | None = None, track: int | None = None) -> list[bytes]:
        """The newest estimate of each face in view, the largest face first."""
        with self._lock:
            now_ns = monotonic_ns()
            found = [
                (entry.message.box.w * entry.message.box.h, _payload(entry))
                for entry in self._newest.values()
                if isinstance(entry.message, Estimate)
                and _is_fresh(entry, now_ns)
                and stream in (None, entry.message.stream)
                and track in (None, entry.message.track)
            ]
        return [payload for _, payload in sorted(found, key=lambda pair: pair[0], reverse=True) if payload]

    def streams(self) -> list[tuple[str, bytes, bytes]]:
        """Of each stream its name, its `meta` and its last `health`, `null` before the first."""
        with self._lock:
            names = [entry.message.stream for entry in self._newest.values() if isinstance(entry.message, Meta)]
            return [(name, self._of("meta", name), self._of("health", name)) for name in sorted(names)]

    def _of(self, kind: str, stream: str) -> bytes:
        entry = self._newest.get((kind, stream, -1))
        return b"null" if entry is None else _payload(entry) or b"null"

    def _forget(self, event: Event) -> None:
        if event.event == "track_lost" and event.track is not None:
            self._newest.pop(("affect", event.stream, event.track), None)
        elif event.event == "stream_removed":
            for key in [key for key in self._newest if key[1] == event.stream]:
                del self._newest[key]


def _key(message: Estimate | Voice | Health | Meta) -> tuple[str, str, int]:
    match message:
        case Estimate():
            return "affect", message.stream, message.track
        case Voice():
            return "voice", message.stream, -1
        case Health():
            return "health", message.stream, -1
        case Meta():
            return "meta", message.stream, -1


def _is_fresh(entry: _Entry, now_ns: int) -> bool:
    return not isinstance(entry.message, Estimate | Voice) or now_ns - entry.at_ns < STALE_NS


def _in_order(entries: Iterable[_Entry]) -> Iterator[_Entry]:
    ranks = (Meta, Health, Estimate, Voice)
    return iter(sorted(entries, key=lambda entry: ranks.index(type(entry.message))))


def _payload(entry: _Entry) -> bytes:
    """Empty for a message that cannot be written, of which the feed complains too."""
    if not entry.payload:
        with suppress(WireError):
            entry.payload = wire.encode(entry.message)
    return entry.payload
