"""What CSV and Parquet are made of: named, typed columns, and rows of as many values, whatever a row stands for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from streamaffect.messages import Message, Voice
from streamaffect.recordings.export.table import ColumnType, Survey, Table, Value
from streamaffect.recordings.header import RecordingHeader


@dataclass(frozen=True, slots=True)
class Sheet:
    """`columns` are names and types; `rows` can be iterated over once."""

    header: RecordingHeader
    columns: Sequence[tuple[str, ColumnType]]
    rows: Iterable[Sequence[Value]]


VOICE_COLUMNS: tuple[tuple[str, ColumnType], ...] = (
    ("timestamp", "float"),
    ("state", "text"),
    ("activity", "float"),
    ("arousal", "float"),
    ("arousal_low", "float"),
    ("arousal_high", "float"),
    ("face_id", "int"),
    ("stream", "text"),
    ("t_capture_ns", "int"),
    ("model", "text"),
)


def sheet_of(table: Table) -> Sheet:
    """A row for each estimate."""
    readers = [column.value for column in table.columns]
    return Sheet(
        table.header,
        [(column.name, column.type) for column in table.columns],
        ([read(row) for read in readers] for row in table.rows),
    )


def sheet_of_voices(
    header: RecordingHeader, messages: Iterable[Message], stream: str | None, *, found: Survey
) -> Sheet:
    """A row for each time at which the voice of one stream, or of all (None), was listened to."""
    return Sheet(header, VOICE_COLUMNS, _voices(messages, stream, found.start_ns))


def _voices(messages: Iterable[Message], stream: str | None, start_ns: int) -> Iterator[Sequence[Value]]:
    for voice in messages:
        if isinstance(voice, Voice) and stream in (None, voice.stream):
            since_start_s = (voice.t_capture_ns - start_ns) / 1e9
            low, high = voice.arousal_interval or (None, None)
            yield (
                since_start_s if voice.pts_s is None else voice.pts_s,
                voice.state,
                voice.activity,
                voice.arousal,
                low,
                high,
                voice.track,
                voice.stream,
                voice.t_capture_ns,
                voice.model,
            )
