"""What a display knows: messages in, a small state of streams and faces out. It draws nothing.

It consumes nothing but the messages of the feed, so that a display in the process that estimates and one that listens
to a feed from elsewhere are the same. `now_ns` is always the display's own monotonic clock; the history of a face is on
the stream's clock (`t_capture_ns`), so that a file read faster than real time has true seconds.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from streamaffect.messages import Estimate, Event, Health, Message, Meta, Voice

SAMPLE_PERIOD_NS = 100_000_000
HISTORY_SAMPLES = 600
STALE_AFTER_NS = 3_000_000_000
HELD_NS = 600_000_000  # what a lens says is shown for so long, unless it says something else
EVENTS_KEPT = 8
OUTPUTS_MAX = 64  # names of a stream that are remembered


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a display shows beside the messages. Each is absent where it does not apply.

    feed:      the address of the feed
    subscribe: a command that subscribes to it
    recording: where the run is recorded
    keys:      which keys do something
    page:      what to open in a browser
    is_recorded: whether that has worked; asked at the end
    facts:     further ones, each with a label
    """

    feed: str | None = None
    subscribe: str | None = None
    recording: str | None = None
    keys: str | None = None
    page: str | None = None
    is_recorded: Callable[[], bool] = lambda: True
    facts: Callable[[], Sequence[tuple[str, str]]] = tuple


class Sample(NamedTuple):
    """Valence and arousal in [-1, 1] at a time of the stream; None where the stream abstained."""

    t_ns: int
    valence: float | None
    arousal: float | None


@dataclass(slots=True)
class FaceState:
    """One face in view: its newest estimate and its last minute, a sample each tenth of a second.

    slot:    a small number that no other face in view has; it chooses the colour
    seen_ns: when the newest estimate arrived
    description: the newest sentence about it; empty where nobody describes
    said:    what each head and lens said last, and when on the stream's clock; lenses with a rate say nothing between
    """

    slot: int
    estimate: Estimate
    seen_ns: int
    description: str = ""
    history: deque[Sample] = field(default_factory=lambda: deque(maxlen=HISTORY_SAMPLES))
    said: dict[str, tuple[int, dict[str, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._note_outputs()

    def values(self, name: str) -> dict[str, float] | None:
        """What a head or lens says now, or has said a moment ago."""
        t_ns, values = self.said.get(name, (0, None))
        return values if 0 <= self.estimate.t_capture_ns - t_ns <= HELD_NS else None

    def take(self, estimate: Estimate, now_ns: int) -> None:
        """Make an estimate the newest; a stream whose clock went back starts a new history."""
        self.estimate = estimate
        self.seen_ns = now_ns
        if isinstance(estimate.description, str):
            self.description = estimate.description
        self._note_outputs()
        sample = Sample(estimate.t_capture_ns, estimate.valence, estimate.arousal)
        if self.history and sample.t_ns < self.history[-1].t_ns:
            self.history.clear()
        if not self.history or sample.t_ns - self.history[-1].t_ns >= SAMPLE_PERIOD_NS:
            self.history.append(sample)

    def _note_outputs(self) -> None:
        for name, values in self.estimate.outputs.items():
            self.said[name] = (self.estimate.t_capture_ns, values)


@dataclass(slots=True)
class StreamState:
    """One stream: what it last said of itself.

    lost_since_ns: since when the source is away; None while it is there
    faces_seen:    how many different faces it has had
    is_described:  True from the first sentence about one of its faces on
    outputs:       names of further outputs that its estimates have had, in the order in which they came
    voice:         what was heard last, and when it arrived; None where that is long ago
    """

    name: str
    meta: Meta | None = None
    health: Health | None = None
    lost_since_ns: int | None = None
    ended: bool = False
    faces_seen: int = 0
    newest_track: int = -1
    outputs: list[str] = field(default_factory=list)
    is_described: bool = False
    voice: Voice | None = None
    heard_ns: int = 0


class Note(NamedTuple):
    """One line for the reader, and when it came."""

    at_ns: int
    text: str


class DisplayState:
    """All streams of a display. `update` is cheap enough for every message; drawing reads the fields."""

    def __init__(self, run: RunInfo | None = None) -> None:
        self.run = run if run is not None else RunInfo()
        self.streams: dict[str, StreamState] = {}
        self.faces: dict[tuple[str, int], FaceState] = {}
        self.notes: deque[Note] = deque(maxlen=EVENTS_KEPT)
        self.votes: deque[str] = deque(maxlen=EVENTS_KEPT)  # of whole files, for the closing words

    def update(self, message: Message, now_ns: int) -> None:
        """Take one message that arrived at `now_ns`."""
        stream = self.streams.get(message.stream)
        if stream is None:
            stream = self.streams[message.stream] = StreamState(message.stream)
        if isinstance(message, Estimate):
            self._take_estimate(stream, message, now_ns)
        elif isinstance(message, Health):
            self._take_health(stream, message, now_ns)
        elif isinstance(message, Event):
            self._take_event(stream, message, now_ns)
        elif isinstance(message, Voice):
            stream.voice, stream.heard_ns = message, now_ns
        else:
            stream.meta = message

    def note(self, text: str, now_ns: int) -> None:
        """Remember a line for the reader, such as a warning of the log."""
        self.notes.append(Note(now_ns, text))

    def forget_stale(self, now_ns: int) -> None:
        """Drop the faces and voices of which nothing came for three seconds, in case their end was never told."""
        stale = [key for key, face in self.faces.items() if now_ns - face.seen_ns > STALE_AFTER_NS]
        for key in stale:
            del self.faces[key]
        for stream in self.streams.values():
            if now_ns - stream.heard_ns > STALE_AFTER_NS:
                stream.voice = None

    def faces_of(self, stream: str) -> list[FaceState]:
        """The faces of one stream that are in view, by track."""
        return [face for (name, _), face in sorted(self.faces.items(), key=lambda item: item[0]) if name == stream]

    def _take_estimate(self, stream: StreamState, estimate: Estimate, now_ns: int) -> None:
        if estimate.refines is not None:
            return  # it speaks of a moment that the display has already shown
        key = (estimate.stream, estimate.track)
        face = self.faces.get(key)
        if face is None:
            face = self.faces[key] = FaceState(self._free_slot(), estimate, now_ns)
        if estimate.track > stream.newest_track:
            stream.newest_track = estimate.track
            stream.faces_seen += 1
        face.take(estimate, now_ns)
        stream.is_described = stream.is_described or isinstance(estimate.description, str)
        stream.outputs += [name for name in estimate.outputs if name not in stream.outputs][
            : OUTPUTS_MAX - len(stream.outputs)
        ]

    def _take_health(self, stream: StreamState, health: Health, now_ns: int) -> None:
        stream.health = health
        stream.ended = health.state == "ended"
        if health.state != "lost":
            stream.lost_since_ns = None
        elif stream.lost_since_ns is None:
            stream.lost_since_ns = now_ns

    def _take_event(self, stream: StreamState, event: Event, now_ns: int) -> None:
        if event.event not in ("track_born", "track_lost"):  # the rows of faces show these
            self.note(self._sentence(event), now_ns)
        match event.event:
            case "track_lost" if event.track is not None:
                self.faces.pop((event.stream, event.track), None)
            case "source_lost" if stream.lost_since_ns is None:
                stream.lost_since_ns = now_ns
            case "votes":
                self.votes.append(self._sentence(event))
            case "source_back":
                stream.lost_since_ns = None
            case "source_ended":
                stream.ended = True
            case "stream_removed":
                del self.streams[event.stream]
                for key in [key for key in self.faces if key[0] == event.stream]:
                    del self.faces[key]

    def _sentence(self, event: Event) -> str:
        """An event in words, led by the stream's name where there is more than one."""
        match event.event:
            case "source_back" | "sound_back" if event.downtime_s is not None:
                words = f"{event.event.replace('_', ' ')} after {event.downtime_s:.1f} s"
            case "marker" if isinstance(event.label, str):
                words = f"marker: {event.label}"
            case "votes":
                return f"{event.stream}/{event.track}: {event.detail}"
            case name:
                words = name.replace("_", " ")
        if event.detail:
            words = f"{words} ({event.detail})"
        return f"{event.stream}: {words}" if len(self.streams) > 1 else words

    def _free_slot(self) -> int:
        taken = {face.slot for face in self.faces.values()}
        return next(slot for slot in range(len(taken) + 1) if slot not in taken)
