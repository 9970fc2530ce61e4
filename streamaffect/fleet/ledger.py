"""What has been heard of the streams of a fleet, and what is said in their place while their process is away.

A process that dies says nothing any more, and its streams would look alive to who has heard their last health. So the
supervisor tells of them: `source_lost` at once, health with the state `lost` each second, `source_back` when a new run
is heard.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.feed.commands import StreamReport
from streamaffect.messages import Event, Health, Message, Meta
from streamaffect.redaction import clean

HEALTH_PERIOD_S = 1.0
UNKNOWN = Health(
    stream="", t_ns=0, state="lost", uptime_s=0.0, fps_in=0.0, fps_out=0.0, frames=0, skipped=0, faces=0, estimates=0
)


@dataclass(slots=True)
class _Absence:
    """A stream whose process is away: since when, why, and when that was last said."""

    since_s: float
    why: str
    told_s: float


class Ledger:
    """Streams by the feed that they come from. `note` belongs to the thread of the messages, the rest to any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = Clock.now()
        self._homes: dict[str, str] = {}
        self._metas: dict[str, Meta] = {}
        self._health: dict[str, Health] = {}
        self._ended: set[str] = set()
        self._absent: dict[str, _Absence] = {}

    def note(self, feed: str, message: Message) -> None:
        """Take note of a message of a feed; what the supervisor says itself comes from none ("")."""
        match message:
            case Meta():
                with self._lock:
                    self._homes[message.stream] = feed
                    self._metas[message.stream] = message
                    self._ended.discard(message.stream)
            case Health():
                with self._lock:
                    self._health[message.stream] = message
            case Event(event="source_ended"):
                with self._lock:
                    self._ended.add(message.stream)
            case Event(event="stream_removed"):
                with self._lock:
                    self._forget(message.stream)

    def streams(self, feed: str) -> set[str]:
        """The streams that come from a feed."""
        with self._lock:
            return {stream for stream, home in self._homes.items() if home == feed}

    def lost(self, streams: Iterable[str], why: str, now_s: float) -> list[Message]:
        """What to say of streams whose process is away; of those of which it was said, the new reason."""
        said: list[Message] = []
        with self._lock:
            for stream in sorted(streams):
                self._homes.pop(stream, None)
                self._ended.discard(stream)
                if (absence := self._absent.get(stream)) is not None:
                    absence.why = why
                    continue
                self._absent[stream] = _Absence(now_s, why, now_s)
                said += [self._event(stream, "source_lost", why), self._lost_health(stream, why)]
        return said

    def removed(self, streams: Iterable[str]) -> list[Message]:
        """What to say of streams that will not come back."""
        with self._lock:
            return [self._event(stream, "stream_removed", "its group has ended") for stream in sorted(streams)]

    def due(self, now_s: float) -> list[Message]:
        """What is to be said by now: health of those that are away, and who is back."""
        said: list[Message] = []
        with self._lock:
            for stream, absence in list(self._absent.items()):
                if self._homes.get(stream):
                    del self._absent[stream]
                    away_s = round(now_s - absence.since_s, 3)
                    said.append(msgspec.structs.replace(self._event(stream, "source_back", ""), downtime_s=away_s))
                elif now_s - absence.told_s >= HEALTH_PERIOD_S:
                    absence.told_s = now_s
                    said.append(self._lost_health(stream, absence.why))
        return said

    def reports(self) -> list[StreamReport]:
        """How the streams do, as a run reports them."""
        with self._lock:
            return [self._report(meta) for _, meta in sorted(self._metas.items())]

    def first_meta(self) -> Meta | None:
        """Of any stream: what is said of model and engine."""
        with self._lock:
            return next(iter(self._metas.values()), None)

    def _report(self, meta: Meta) -> StreamReport:
        health = self._health.get(meta.stream)
        state = "ended" if meta.stream in self._ended else "starting" if health is None else health.state
        return StreamReport(
            stream=meta.stream,
            source=clean(meta.source),
            live=meta.live,
            state=state,
            fault="" if health is None else clean(health.fault),
            fps_out=0.0 if health is None else round(health.fps_out, 3),
            faces=0 if health is None else health.faces,
            estimates=0 if health is None else health.estimates,
        )

    def _lost_health(self, stream: str, why: str) -> Health:
        last = self._health.get(stream, UNKNOWN)
        return msgspec.structs.replace(
            last, stream=stream, t_ns=self._now_ns(), state="lost", fault=why, fps_in=0.0, fps_out=0.0, faces=0
        )

    def _event(self, stream: str, event: str, detail: str) -> Event:
        return msgspec.convert(
            {"stream": stream, "t_ns": self._now_ns(), "event": event, "detail": detail, "kind": "event"}, Event
        )

    def _now_ns(self) -> int:
        return self._clock.utc(monotonic_ns())

    def _forget(self, stream: str) -> None:
        for known in (self._homes, self._metas, self._health, self._absent):
            known.pop(stream, None)
        self._ended.discard(stream)


def owner_of(stream: str, groups: Sequence[tuple[str, set[str]]]) -> str | None:
    """Which of the groups has a stream."""
    return next((name for name, streams in groups if stream in streams), None)
