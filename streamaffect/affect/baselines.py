"""The baselines of a run: which faces have one, which are about to get one, and what becomes of their estimates.

A face is a track: one that comes back under a new number has no baseline any more, since nobody is recognised. With a
profile the user has said whose face it is: it then belongs to each face that is alone in its stream.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from streamaffect.affect.baseline import Baseline, Refusal, judge
from streamaffect.messages import BaselineState, Estimate, Event, EventName, Message, Voice

Key = tuple[str, int]


@dataclass(slots=True)
class _Collecting:
    """What has been seen of a face since its baseline was begun."""

    seconds: float
    seen: list[Estimate] = field(default_factory=list)

    @property
    def elapsed_s(self) -> float:
        """From the first estimate to the last, by the clock of the pictures."""
        return (self.seen[-1].t_capture_ns - self.seen[0].t_capture_ns) / 1e9


@dataclass(slots=True)
class _Request:
    """A command: take the baseline of all faces of these streams, over so many seconds; None clears them."""

    seconds: float | None
    stream: str | None
    origin: str


class Baselines:
    """Sees all messages of a run pass, and adds to estimates what is known of their faces' neutral.

    automatic_s: take the baseline of every face by itself, over so many seconds of good pictures; 0 waits for `start`
    profile:     a baseline that was taken before
    keep:        called with the first baseline of a face that was alone in its stream, which is a profile from then on
    """

    def __init__(
        self,
        *,
        automatic_s: float = 0.0,
        profile: Baseline | None = None,
        keep: Callable[[Baseline], None] | None = None,
    ) -> None:
        self._automatic_s = automatic_s
        self._profile = profile
        self._keep = keep
        self._taken: dict[Key, Baseline] = {}
        self._collecting: dict[Key, _Collecting] = {}
        self._refused: set[Key] = set()
        self._faces: dict[str, set[int]] = {}
        self._newest_ns: dict[str, int] = {}
        self._lock = threading.Lock()
        self._requests: list[_Request] = []
        self._is_on = automatic_s > 0 or profile is not None

    def start(self, seconds: float, *, stream: str | None, origin: str) -> None:
        """Take the baseline of the faces that are in view, from their next estimate on; callable from any thread."""
        with self._lock:
            self._requests.append(_Request(seconds, stream, origin))
            self._is_on = True

    def clear(self, *, stream: str | None, origin: str) -> None:
        """Forget all baselines; callable from any thread."""
        with self._lock:
            self._requests.append(_Request(None, stream, origin))

    def apply(self, messages: Iterable[Message]) -> Iterator[Message]:
        """The messages, with relative values in estimates and events of what has become of baselines."""
        for message in messages:
            if self._requests:
                yield from self._carry_out()
            match message:
                case Estimate():
                    yield from self._take(message)
                case Event():
                    self._note(message)
                    yield message
                case Voice():
                    yield message
                case _:
                    self._faces.setdefault(message.stream, set())
                    if message.t_ns:
                        self._newest_ns[message.stream] = message.t_ns
                    yield message

    def _carry_out(self) -> Iterator[Event]:
        with self._lock:
            requests, self._requests = self._requests, []
        for request in requests:
            streams = [name for name in self._faces if request.stream in (None, name)]
            for stream in streams:
                yield from self._begin(stream, request) if request.seconds else self._forget(stream, request)

    def _begin(self, stream: str, request: _Request) -> Iterator[Event]:
        tracks = sorted(self._faces[stream])
        if not tracks:
            reason = "there is no face in view"
            yield _event(
                stream, None, self._newest_ns.get(stream, 0), "baseline_refused", reason, origin=request.origin
            )
        for track in tracks:
            key = (stream, track)
            self._refused.discard(key)
            self._collecting[key] = _Collecting(request.seconds or 0.0)
            detail = f"a neutral face, please, for {request.seconds:g} s"
            yield _event(
                stream, track, self._newest_ns.get(stream, 0), "baseline_started", detail, origin=request.origin
            )

    def _forget(self, stream: str, request: _Request) -> Iterator[Event]:
        for known in (self._taken, self._collecting):
            for key in [key for key in known if key[0] == stream]:
                del known[key]
        self._profile = None
        self._automatic_s = 0.0
        self._refused = {key for key in self._refused if key[0] != stream}
        yield _event(stream, None, self._newest_ns.get(stream, 0), "baseline_cleared", "", origin=request.origin)

    def _note(self, event: Event) -> None:
        faces = self._faces.setdefault(event.stream, set())
        match event.event:
            case "track_born" if event.track is not None:
                faces.add(event.track)
            case "track_lost" if event.track is not None:
                faces.discard(event.track)
                self._drop((event.stream, event.track))
            case "source_ended" | "stream_removed":
                for track in faces:
                    self._drop((event.stream, track))
                faces.clear()

    def _drop(self, key: Key) -> None:
        self._taken.pop(key, None)
        self._collecting.pop(key, None)
        self._refused.discard(key)

    def _take(self, estimate: Estimate) -> Iterator[Message]:
        if not self._is_on:
            yield estimate
            return
        key = (estimate.stream, estimate.track)
        self._newest_ns[estimate.stream] = estimate.t_capture_ns
        if self._wants_one(key, estimate):
            self._collecting[key] = _Collecting(self._automatic_s)
        known = self._known(key)
        yield known.relative(estimate) if known else msgspec.structs.replace(estimate, baseline=self._state(key))
        collecting = self._collecting.get(key)
        if collecting is not None and estimate.refines is None:
            collecting.seen.append(estimate)
            if collecting.elapsed_s >= collecting.seconds:
                yield self._decide(key, self._collecting.pop(key))

    def _wants_one(self, key: Key, estimate: Estimate) -> bool:
        """True where the baseline of a face is to be begun by itself."""
        has = key in self._taken or key in self._collecting or self._profile is not None
        return self._automatic_s > 0 and not has and estimate.status == "ok" and estimate.refines is None

    def _known(self, key: Key) -> Baseline | None:
        if key in self._taken:
            return self._taken[key]
        return self._profile if self._is_alone(key[0]) else None

    def _is_alone(self, stream: str) -> bool:
        return len(self._faces.get(stream, ())) <= 1

    def _state(self, key: Key) -> BaselineState:
        if key in self._collecting:
            return "collecting"
        return "refused" if key in self._refused else "none"

    def _decide(self, key: Key, collecting: _Collecting) -> Event:
        found = judge(collecting.seen, collecting.seconds)
        at_ns = collecting.seen[-1].t_capture_ns
        if isinstance(found, Refusal):
            self._refused.add(key)
            return _event(*key, at_ns, "baseline_refused", found.reason)
        self._refused.discard(key)
        self._taken[key] = found
        if self._keep is not None and self._profile is None and self._is_alone(key[0]):
            self._keep(found)
            self._profile = found
        return _event(*key, at_ns, "baseline_taken", str(found))


def _event(
    stream: str,
    track: int | None,
    t_ns: int,
    event: EventName,
    detail: str,
    *,
    origin: str | msgspec.UnsetType = msgspec.UNSET,
) -> Event:
    return Event(stream=stream, track=track, t_ns=t_ns, event=event, detail=detail, origin=origin)
