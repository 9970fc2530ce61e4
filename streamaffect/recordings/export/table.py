"""A recording as a table: one row per estimate, with columns named as in OpenFace's output where that has them."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

from msgspec import UNSET, UnsetType

from streamaffect.messages import Estimate, Event, Health, Message, Meta, Voice
from streamaffect.recordings.header import RecordingHeader

Value = int | float | str | None
ColumnType = Literal["int", "float", "text"]
OutputName = tuple[str, str]

T = TypeVar("T")

PICTURES_REMEMBERED = 1024
OPENFACE_SCALE = 5.0  # the intensities A to E of an action unit are 1 to 5 there; 0 to 1 on our wire
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One estimate and its place in the recording.

    frame:       counts the pictures of the stream that have an estimate, from 1; a refined estimate has its picture's
    timestamp_s: the file's timestamp; for a live source, seconds since the recording's first estimate
    gap:         True where a fixed rate has a place, and the recording nothing to put there
    marker:      labels of the markers at this picture; None where there is none
    """

    frame: int
    timestamp_s: float
    estimate: Estimate
    gap: bool = False
    marker: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its type and its value for a row, None where there is none."""

    name: str
    type: ColumnType
    value: Callable[[Row], Value]


@dataclass(frozen=True, slots=True)
class Table:
    """What a writer gets. `rows` and `happenings` can each be iterated over once.

    happenings: what the recording holds beside estimates, in its order
    origins_ns: by stream, the time that counts as 0 s in `Row.timestamp_s`
    rate_hz:    of rows at a fixed rate; None for those of the recording
    markers:    those among the happenings, in the order of the recording
    """

    header: RecordingHeader
    columns: tuple[Column, ...]
    rows: Iterable[Row]
    happenings: Iterable[Event | Health | Voice] = ()
    origins_ns: Mapping[str, int] = field(default_factory=dict)
    rate_hz: float | None = None
    markers: Sequence[Event] = ()

    def seconds(self, stream: str, t_ns: int) -> float:
        """A time of this stream on the scale of `Row.timestamp_s`."""
        return (t_ns - self.origins_ns.get(stream, 0)) / 1e9


@dataclass(frozen=True, slots=True)
class Survey:
    """What must be known before the first row is written.

    outputs:    (head, output) of every further output that occurs, in the order of the recording
    intervals:  those of them that have an interval
    start_ns:   capture time of the earliest estimate, else of the first voice, 0 where there is neither
    origins_ns: by stream that has file timestamps, the capture time at which they are 0
    last_ns:    by stream, the latest capture time
    markers:    events that somebody has set as markers, in the order of the recording
    added:      streams that began after the recording
    baselines:  True where an estimate says something of a baseline; descriptions: where one has a sentence
    """

    outputs: tuple[OutputName, ...]
    start_ns: int
    intervals: frozenset[OutputName] = frozenset()
    origins_ns: Mapping[str, int] = field(default_factory=dict)
    last_ns: Mapping[str, int] = field(default_factory=dict)
    markers: tuple[Event, ...] = ()
    added: tuple[Meta, ...] = ()
    baselines: bool = False
    descriptions: bool = False

    def origins(self, header: RecordingHeader) -> dict[str, int]:
        """For every stream of the recording, the time that counts as 0 s."""
        live = {recorded.stream: self.start_ns if recorded.live else 0 for recorded in header.streams}
        return live | dict(self.origins_ns)


def survey(messages: Iterable[Message], stream: str | None) -> Survey:
    """Read all messages once."""
    outputs: dict[OutputName, None] = {}
    intervals: set[OutputName] = set()
    start_ns: int | None = None
    origins_ns: dict[str, int] = {}
    last_ns: dict[str, int] = {}
    baselines = descriptions = False
    beside = _Beside(stream)
    for estimate in _estimates(beside.watch(messages), stream):
        baselines = baselines or isinstance(estimate.baseline, str)
        descriptions = descriptions or isinstance(estimate.description, str)
        last_ns[estimate.stream] = max(estimate.t_capture_ns, last_ns.get(estimate.stream, 0))
        outputs.update(((head, name), None) for head, values in estimate.outputs.items() for name in values)
        if not isinstance(estimate.output_intervals, UnsetType):
            intervals.update((lens, name) for lens, named in estimate.output_intervals.items() for name in named)
        start_ns = estimate.t_capture_ns if start_ns is None else min(start_ns, estimate.t_capture_ns)
        if estimate.pts_s is not None and estimate.stream not in origins_ns:
            origins_ns[estimate.stream] = estimate.t_capture_ns - round(estimate.pts_s * 1e9)
    return Survey(
        outputs=tuple(outputs),
        start_ns=(beside.heard_ns if start_ns is None else start_ns) or 0,
        intervals=frozenset(intervals),
        origins_ns=origins_ns,
        last_ns=last_ns,
        markers=tuple(beside.markers),
        added=tuple(beside.added),
        baselines=baselines,
        descriptions=descriptions,
    )


class _Beside:
    """What a survey notes beside the estimates of one stream, or of all (None)."""

    def __init__(self, stream: str | None) -> None:
        self._stream = stream
        self.markers: list[Event] = []
        self.added: list[Meta] = []
        self.heard_ns: int | None = None

    def watch(self, messages: Iterable[Message]) -> Iterator[Message]:
        """The messages as they are."""
        for message in messages:
            if isinstance(message, Meta):
                self.added.append(message)
            elif isinstance(message, Event) and message.event == "marker" and self._stream in (None, message.stream):
                self.markers.append(message)
            elif isinstance(message, Voice) and self.heard_ns is None and self._stream in (None, message.stream):
                self.heard_ns = message.t_capture_ns
            yield message


def columns(
    outputs: Iterable[OutputName],
    *,
    intervals: Collection[OutputName] = (),
    units: Collection[str] = (),
    baselines: bool = False,
    descriptions: bool = False,
) -> tuple[Column, ...]:
    """All columns, in order: OpenFace's, affect, state, box, further outputs, and what identifies the message.

    intervals: of the outputs, those with an interval; units: heads whose outputs are action units
    baselines: with values relative to each face's neutral, behind all others; descriptions: with sentences at the end
    """
    further = [column for output in outputs for column in _output(output, output in intervals, output[0] in units)]
    every = _PICTURE + _AFFECT + _STATE + _BOX + tuple(further) + _MESSAGE
    return every + (_RELATIVE if baselines else ()) + (_WORDS if descriptions else ())


def rows(messages: Iterable[Message], stream: str | None, *, start_ns: int) -> Iterator[Row]:
    """The estimates of one stream, or of all (None), as rows."""
    counters: dict[str, _FrameCounter] = {}
    for estimate in _estimates(messages, stream):
        since_start_s = (estimate.t_capture_ns - start_ns) / 1e9
        yield Row(
            frame=counters.setdefault(estimate.stream, _FrameCounter()).number(estimate.t_capture_ns),
            timestamp_s=since_start_s if estimate.pts_s is None else estimate.pts_s,
            estimate=estimate,
        )


def happenings(messages: Iterable[Message], stream: str | None) -> Iterator[Event | Health | Voice]:
    """What is told of one stream, or of all (None), beside estimates."""
    return (
        message
        for message in messages
        if isinstance(message, Event | Health | Voice) and (stream is None or message.stream == stream)
    )


class _FrameCounter:
    """Numbers the pictures of one stream by their capture time; remembers as many as a refinement can be late."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[int, int] = OrderedDict()
        self._latest = 0

    def number(self, t_capture_ns: int) -> int:
        if t_capture_ns not in self._numbers:
            self._latest += 1
            self._numbers[t_capture_ns] = self._latest
            if len(self._numbers) > PICTURES_REMEMBERED:
                self._numbers.popitem(last=False)
        return self._numbers[t_capture_ns]


def _estimates(messages: Iterable[Message], stream: str | None) -> Iterator[Estimate]:
    return (
        message
        for message in messages
        if isinstance(message, Estimate) and (stream is None or message.stream == stream)
    )


def _output(output: OutputName, has_interval: bool, is_unit: bool) -> Iterator[Column]:  # noqa: FBT001
    """An output and its interval. Action units have OpenFace's name and scale: `AU12_r`, an intensity from 0 to 5."""
    head, name = output
    scale, title = (OPENFACE_SCALE, f"{name}_r") if is_unit else (1.0, f"{head}_{name}")
    yield Column(title, "float", lambda row: _scaled(row.estimate.outputs.get(head, {}).get(name), scale))
    if has_interval:
        for end, word in enumerate(("low", "high")):
            yield Column(f"{title}_{word}", "float", partial(_output_end, output, end, scale))


def _output_end(output: OutputName, end: int, scale: float, row: Row) -> float | None:
    intervals = row.estimate.output_intervals
    named = {} if isinstance(intervals, UnsetType) else intervals.get(output[0], {})
    return _scaled(_end(named.get(output[1]), end), scale)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value if scale == 1.0 else round(value * scale, DECIMALS)


def known(value: T | UnsetType | None) -> T | None:
    """None where an estimate does not have the field."""
    return None if value is UNSET else value


def _end(interval: tuple[float, float] | None, end: int) -> float | None:
    return None if interval is None else interval[end]


_PICTURE = (
    Column("frame", "int", lambda row: row.frame),
    Column("face_id", "int", lambda row: row.estimate.track),
    Column("timestamp", "float", lambda row: row.timestamp_s),
    Column("confidence", "float", lambda row: row.estimate.face_score),
    Column("success", "int", lambda row: int(not row.gap and row.estimate.status in ("ok", "warming"))),
)
_AFFECT = (
    Column("valence", "float", lambda row: row.estimate.valence),
    Column("arousal", "float", lambda row: row.estimate.arousal),
    Column("valence_low", "float", lambda row: _end(row.estimate.valence_interval, 0)),
    Column("valence_high", "float", lambda row: _end(row.estimate.valence_interval, 1)),
    Column("arousal_low", "float", lambda row: _end(row.estimate.arousal_interval, 0)),
    Column("arousal_high", "float", lambda row: _end(row.estimate.arousal_interval, 1)),
)
_STATE = (
    Column("status", "text", lambda row: row.estimate.status),
    Column("coverage", "float", lambda row: row.estimate.coverage),
    Column("context_fill", "float", lambda row: row.estimate.context_fill),
    Column("lookahead_s", "float", lambda row: row.estimate.lookahead_s),
    Column("refines", "int", lambda row: row.estimate.refines),
)
_BOX = (
    Column("box_x", "float", lambda row: row.estimate.box.x),
    Column("box_y", "float", lambda row: row.estimate.box.y),
    Column("box_w", "float", lambda row: row.estimate.box.w),
    Column("box_h", "float", lambda row: row.estimate.box.h),
    Column("quality", "float", lambda row: row.estimate.quality),
)
_MESSAGE = (
    Column("stream", "text", lambda row: row.estimate.stream),
    Column("seq", "int", lambda row: row.estimate.seq),
    Column("t_capture_ns", "int", lambda row: row.estimate.t_capture_ns),
)
_RELATIVE = (
    Column("baseline", "text", lambda row: known(row.estimate.baseline)),
    Column("valence_relative", "float", lambda row: known(row.estimate.valence_relative)),
    Column("arousal_relative", "float", lambda row: known(row.estimate.arousal_relative)),
    Column("valence_relative_low", "float", lambda row: _end(known(row.estimate.valence_relative_interval), 0)),
    Column("valence_relative_high", "float", lambda row: _end(known(row.estimate.valence_relative_interval), 1)),
    Column("arousal_relative_low", "float", lambda row: _end(known(row.estimate.arousal_relative_interval), 0)),
    Column("arousal_relative_high", "float", lambda row: _end(known(row.estimate.arousal_relative_interval), 1)),
)
_WORDS = (Column("description", "text", lambda row: known(row.estimate.description)),)
