"""What lasted and what happened in a recording: the states and moments that annotation tools work with.

A state has a beginning and an end: how a face was estimated, how long it was there, how long a source, the engine or
the detector was away. Everything else that a recording tells is a moment, a marker among them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from streamaffect.messages import Event, Status
from streamaffect.recordings.export.table import Row, Table

# Event that begins a state → the one that ends it, and the name of the state.
STATES = {
    "track_born": ("track_lost", "present"),
    "source_lost": ("source_back", "source_lost"),
    "engine_lost": ("engine_back", "engine_lost"),
    "detector_lost": ("detector_back", "detector_lost"),
    "sound_lost": ("sound_back", "sound_lost"),
}
_ENDS = {end: beginning for beginning, (end, _) in STATES.items()}


@dataclass(frozen=True, slots=True)
class Episode:
    """A state, or a moment where `end_s` is None.

    face:  track, None for what concerns the whole stream
    kind:  what sort of thing it is: `status`, `marker`, or the name of the state or event
    name:  what is the case: the status, the marker's label, the name of the state or event
    times: seconds on the scale of `Row.timestamp_s`; what came before its zero is put at 0
    """

    stream: str
    face: int | None
    kind: str
    name: str
    begin_s: float
    end_s: float | None
    comment: str = ""


def label_of(event: Event) -> str | None:
    """The label of an event that somebody has set as a marker; None for all others."""
    label = getattr(event, "label", None)
    return label if isinstance(label, str) and label else None


def marker_text(event: Event) -> str:
    """One text for an event: a marker's label as it was given, else the event's name and track (`track_born:3`)."""
    label = label_of(event)
    if label is not None:
        return label
    return event.event if event.track is None else f"{event.event}:{event.track}"


class EventEpisodes:
    """Events become episodes: those that begin and end a state are paired, all others are moments."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._open: dict[tuple[str, int | None, str], tuple[Event, float]] = {}
        self._latest_s: dict[str, float] = {}
        self.found: list[Episode] = []

    def take(self, event: Event) -> None:
        """Note the next event of the recording."""
        at_s = max(0.0, self._table.seconds(event.stream, event.t_ns))
        self.extend(event.stream, at_s)
        if event.event in STATES:
            self._open.setdefault((event.stream, event.track, event.event), (event, at_s))
        elif event.event in _ENDS:
            self._end((event.stream, event.track, _ENDS[event.event]), at_s)
        else:
            self.found.append(_moment(event, at_s))

    def extend(self, stream: str, until_s: float) -> None:
        """Say that the stream went on until then."""
        self._latest_s[stream] = max(until_s, self._latest_s.get(stream, 0.0))

    def finish(self) -> None:
        """End what is still going on when the recording ends."""
        for key in list(self._open):
            self._end(key, self._latest_s[key[0]])

    def _end(self, key: tuple[str, int | None, str], at_s: float) -> None:
        """End a state; one whose beginning was not recorded is left out."""
        if key in self._open:
            event, begin_s = self._open.pop(key)
            name = STATES[event.event][1]
            self.found.append(Episode(event.stream, event.track, name, name, begin_s, max(begin_s, at_s), event.detail))


class StatusEpisodes:
    """Runs of estimates with the same status become episodes."""

    def __init__(self, longest_s: float) -> None:
        """longest_s: where two estimates of a face are further apart, the first run ends."""
        self._longest_s = longest_s
        self._open: dict[tuple[str, int], tuple[Status, float, float]] = {}
        self.found: list[Episode] = []

    def take(self, row: Row) -> None:
        """Note the next row; rows of one face come in the order of capture."""
        key, at_s = (row.estimate.stream, row.estimate.track), max(0.0, row.timestamp_s)
        status = row.estimate.status
        if key in self._open:
            running, begin_s, latest_s = self._open[key]
            is_far = at_s - latest_s > self._longest_s
            if status == running and not is_far:
                self._open[key] = (running, begin_s, max(latest_s, at_s))
                return
            self._note(key, running, begin_s, latest_s if is_far else at_s)
        self._open[key] = (status, at_s, at_s)

    def finish(self) -> None:
        """End the runs that are still going on."""
        for key, (status, begin_s, latest_s) in self._open.items():
            self._note(key, status, begin_s, latest_s)
        self._open.clear()

    def _note(self, key: tuple[str, int], status: Status, begin_s: float, end_s: float) -> None:
        self.found.append(Episode(key[0], key[1], "status", status, begin_s, max(begin_s, end_s)))


def episodes(table: Table, rows: Iterable[Row]) -> list[Episode]:
    """All episodes by their beginning. `rows` are the table's, perhaps watched by somebody else as they pass."""
    statuses, events = StatusEpisodes(longest_s=table.header.clip_s), EventEpisodes(table)
    for row in rows:
        statuses.take(row)
        events.extend(row.estimate.stream, row.timestamp_s)
    statuses.finish()
    for happening in table.happenings:
        if isinstance(happening, Event):
            events.take(happening)
    events.finish()
    return sorted(statuses.found + events.found, key=lambda episode: episode.begin_s)


def _moment(event: Event, at_s: float) -> Episode:
    label = label_of(event)
    kind, name = ("marker", label) if label is not None else (event.event, event.event)
    return Episode(event.stream, event.track, kind, name, at_s, None, event.detail)
