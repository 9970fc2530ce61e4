"""A recording as BORIS writes coded events: tab-separated, one line per event, states as a START and a STOP.

The columns are those of BORIS 8 ("Export events", tabular). An observation is a stream; subjects are its faces; the
status of the estimates, what was away, markers and all other events are behaviours.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from streamaffect.recordings.export.episodes import Episode, episodes
from streamaffect.recordings.export.medium import Medium, medium_of
from streamaffect.recordings.export.table import Table
from streamaffect.recordings.header import RecordingHeader

COLUMNS = (
    "Observation id",
    "Observation date",
    "Description",
    "Observation duration",
    "Observation type",
    "Source",
    "Time offset (s)",
    "Media duration (s)",
    "FPS",
    "Subject",
    "Behavior",
    "Behavioral category",
    "Behavior type",
    "Time",
    "Media file name",
    "Image index",
    "Image file path",
    "Comment",
)
NO_SUBJECT = ""  # as BORIS writes "No focal subject" here
UNKNOWN = "NA"

Coded = tuple[float, str, Episode]  # time, type, and what it is about


def write_boris(file: BinaryIO, table: Table) -> int:
    """Write the events and return how many there are."""
    coded = sorted(_coded(episodes(table, table.rows)), key=lambda event: event[0])
    durations = _durations(coded)
    media = {recorded.stream: medium_of(recorded) for recorded in table.header.streams}
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    for at_s, kind, episode in coded:
        medium = media.get(episode.stream)
        observation = _observation(table.header, medium, episode.stream, durations[episode.stream])
        writer.writerow([*observation, *_event(at_s, kind, episode, medium)])
    text.detach()
    return len(coded)


def _coded(found: Iterable[Episode]) -> Iterator[Coded]:
    for episode in found:
        if episode.end_s is None:
            yield episode.begin_s, "POINT", episode
        else:
            yield episode.begin_s, "START", episode
            yield episode.end_s, "STOP", episode


def _durations(coded: Iterable[Coded]) -> dict[str, float]:
    """Seconds from the first to the last event of each stream, as BORIS counts the duration of a coding."""
    firsts: dict[str, float] = {}
    durations: dict[str, float] = {}
    for at_s, _, episode in coded:
        firsts.setdefault(episode.stream, at_s)
        durations[episode.stream] = at_s - firsts[episode.stream]
    return durations


def _observation(header: RecordingHeader, medium: Medium | None, stream: str, duration_s: float) -> list[str]:
    return [
        stream,
        "" if header.created is None else header.created[:19].replace("T", " "),
        f"{header.software}, {header.model}",
        f"{duration_s:.3f}",
        "Live observation" if medium is None else "Media file(s)",
        UNKNOWN if medium is None else f"player #1:{medium.path}",
        "0",
        UNKNOWN,
        UNKNOWN,
    ]


def _event(at_s: float, kind: str, episode: Episode, medium: Medium | None) -> list[str]:
    return [
        NO_SUBJECT if episode.face is None else f"face {episode.face}",
        " ".join(episode.name.split()),
        episode.kind if episode.kind in ("status", "marker") else "event",
        kind,
        f"{at_s:.3f}",
        UNKNOWN if medium is None else medium.path,
        UNKNOWN,
        UNKNOWN,
        " ".join(episode.comment.split()),
    ]
