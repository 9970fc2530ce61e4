"""A recording as courses over time, one of each face and of each voice, to be drawn: everything in memory, in columns.

Of a picture the latest word counts, as in the exports that have one value a picture.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from msgspec import UNSET

from streamaffect.messages import Estimate, Event, Message
from streamaffect.recordings.export.latest import latest
from streamaffect.recordings.export.table import Row, Survey, rows, survey
from streamaffect.recordings.header import RecordingHeader
from streamaffect.recordings.reading import read_recording
from streamaffect.recordings.voices import NAN, Heard, VoiceCourse
from streamaffect.types import Square

STATUSES: Final = ("ok", "warming", "held", "abstain")
VALUES: Final = (
    "valence",
    "valence_low",
    "valence_high",
    "arousal",
    "arousal_low",
    "arousal_high",
    "status",
    "quality",
)
# Where maps lie in the frame, of recordings that have some.
SQUARE: Final = tuple(f"square_{corner}_{axis}" for corner in Square._fields for axis in "xy")

Part = Literal["value", "low", "high"]
OutputColumn = tuple[str, str, Part]


@dataclass(slots=True)
class Course:
    """One face: seconds of the recording (float64), and for each of the columns as many float32; NaN for no value.

    descriptions: sentences about it, each with its seconds
    """

    stream: str
    track: int
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    columns: "list[array[float]]" = field(default_factory=list)
    descriptions: list[tuple[float, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: `what` is an event's name, `label` what a marker or its detail says."""

    stream: str
    seconds: float
    what: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Courses:
    """What there is to draw.

    names:   of the columns: VALUES, SQUARE where an output is a map, then the outputs
    outputs: one for each of the last columns: head, output, and whether it is the value or an end of its interval
    voices:  of streams in which something was heard
    """

    path: Path
    header: RecordingHeader
    names: tuple[str, ...]
    outputs: tuple[OutputColumn, ...]
    courses: Sequence[Course]
    moments: Sequence[Moment]
    voices: Sequence[VoiceCourse]
    estimates: int
    complaint: str | None


def read_courses(path: str | Path) -> Courses:
    """Read a recording. Raises RecordingError where it is none."""
    recording = read_recording(path)
    found = survey(recording, None)
    header = recording.header.with_added(found.added)
    outputs = _outputs(found)
    maps = {head.name for head in header.heads if head.kind == "map"}
    square = SQUARE if any(head in maps for head, _, _ in outputs) else ()
    names = VALUES + square + tuple("/".join(one if one[2] != "value" else one[:2]) for one in outputs)
    courses: dict[tuple[str, int], Course] = {}
    count = 0
    for row in latest(rows(recording, None, start_ns=found.start_ns)):
        estimate = row.estimate
        key = (estimate.stream, estimate.track)
        course = courses.get(key)
        if course is None:
            course = courses[key] = Course(estimate.stream, estimate.track, columns=[array("f") for _ in names])
        _append(course, row, square, outputs)
        count += 1
    heard = Heard(found.start_ns)
    moments = list(_moments(heard.watch(recording), found.origins(header), found.start_ns))
    return Courses(
        path=recording.named,
        header=header,
        names=names,
        outputs=outputs,
        courses=sorted(courses.values(), key=lambda one: (one.stream, one.track)),
        moments=moments,
        voices=heard.voices,
        estimates=count,
        complaint=recording.complaint,
    )


def _outputs(found: Survey) -> tuple[OutputColumn, ...]:
    columns: list[OutputColumn] = []
    for head, name in found.outputs:
        columns.append((head, name, "value"))
        if (head, name) in found.intervals:
            columns += [(head, name, "low"), (head, name, "high")]
    return tuple(columns)


def _append(course: Course, row: Row, square: Sequence[str], outputs: Sequence[OutputColumn]) -> None:
    course.seconds.append(row.timestamp_s)
    values = (*_values(row.estimate), *_square(row.estimate, square), *_said(row.estimate, outputs))
    for column, value in zip(course.columns, values, strict=True):
        column.append(NAN if value is None else value)
    if isinstance(row.estimate.description, str):
        course.descriptions.append((row.timestamp_s, row.estimate.description))


def _values(estimate: Estimate) -> Iterator[float | None]:
    for value, interval in (
        (estimate.valence, estimate.valence_interval),
        (estimate.arousal, estimate.arousal_interval),
    ):
        yield value
        yield from (None, None) if interval is None else interval
    yield STATUSES.index(estimate.status)
    yield estimate.quality


def _square(estimate: Estimate, names: Sequence[str]) -> Iterator[float | None]:
    if not isinstance(estimate.square, Square):
        yield from (None for _ in names)
    elif names:
        yield from (value for corner in estimate.square for value in corner)


def _said(estimate: Estimate, outputs: Sequence[OutputColumn]) -> Iterator[float | None]:
    given = {} if estimate.output_intervals is UNSET else estimate.output_intervals
    for head, name, part in outputs:
        if part == "value":
            yield estimate.outputs.get(head, {}).get(name)
        else:
            ends = given.get(head, {}).get(name)
            yield None if ends is None else ends[part == "high"]


def _moments(messages: Iterable[Message], origins_ns: Mapping[str, int], start_ns: int) -> Iterator[Moment]:
    for message in messages:
        if isinstance(message, Event) and message.event not in ("track_born", "track_lost"):
            seconds = (message.t_ns - origins_ns.get(message.stream, start_ns)) / 1e9
            label = message.label if isinstance(message.label, str) else message.detail
            yield Moment(message.stream, seconds, message.event, label)
