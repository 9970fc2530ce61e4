"""A recording as a table: one row per estimate, with columns named as in OpenFace's output where that has them."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from streamaffect.recordings.header import RecordingHeader
from streamaffect.types import Estimate, Message

Value = int | float | str | None
ColumnType = Literal["int", "float", "text"]
OutputName = tuple[str, str]

PICTURES_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One estimate and its place in the recording.

    frame:       counts the pictures of the stream that have an estimate, from 1; a refined estimate has its picture's
    timestamp_s: the file's timestamp; for a live source, seconds since the recording's first estimate
    """

    frame: int
    timestamp_s: float
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its type and its value for a sample, None where there is none."""

    name: str
    type: ColumnType
    value: Callable[[Sample], Value]


@dataclass(frozen=True, slots=True)
class Table:
    """What a writer gets. `samples` can be iterated over once."""

    header: RecordingHeader
    columns: tuple[Column, ...]
    samples: Iterable[Sample]


@dataclass(frozen=True, slots=True)
class Survey:
    """What must be known before the first row is written.

    outputs:  (head, output) of every further output that occurs, in the order of the recording
    start_ns: capture time of the earliest estimate, 0 where there is none
    """

    outputs: tuple[OutputName, ...]
    start_ns: int


def survey(messages: Iterable[Message], stream: str | None) -> Survey:
    """Read all messages once."""
    outputs: dict[OutputName, None] = {}
    start_ns: int | None = None
    for estimate in _estimates(messages, stream):
        outputs.update(((head, name), None) for head, values in estimate.outputs.items() for name in values)
        start_ns = estimate.t_capture_ns if start_ns is None else min(start_ns, estimate.t_capture_ns)
    return Survey(outputs=tuple(outputs), start_ns=start_ns or 0)


def columns(outputs: Iterable[OutputName]) -> tuple[Column, ...]:
    """All columns, in order: OpenFace's, affect, state, box, further outputs, and what identifies the message."""
    return _PICTURE + _AFFECT + _STATE + _BOX + tuple(map(_output, outputs)) + _MESSAGE


def samples(messages: Iterable[Message], stream: str | None, *, start_ns: int) -> Iterator[Sample]:
    """The estimates of one stream, or of all (None), as rows."""
    counters: dict[str, _FrameCounter] = {}
    for estimate in _estimates(messages, stream):
        since_start_s = (estimate.t_capture_ns - start_ns) / 1e9
        yield Sample(
            frame=counters.setdefault(estimate.stream, _FrameCounter()).number(estimate.t_capture_ns),
            timestamp_s=since_start_s if estimate.pts_s is None else estimate.pts_s,
            estimate=estimate,
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


def _output(output: OutputName) -> Column:
    head, name = output
    return Column(f"{head}_{name}", "float", lambda sample: sample.estimate.outputs.get(head, {}).get(name))


def _end(interval: tuple[float, float] | None, end: int) -> float | None:
    return None if interval is None else interval[end]


_PICTURE = (
    Column("frame", "int", lambda sample: sample.frame),
    Column("face_id", "int", lambda sample: sample.estimate.track),
    Column("timestamp", "float", lambda sample: sample.timestamp_s),
    Column("confidence", "float", lambda sample: sample.estimate.face_score),
    Column("success", "int", lambda sample: int(sample.estimate.status in ("ok", "warming"))),
)
_AFFECT = (
    Column("valence", "float", lambda sample: sample.estimate.valence),
    Column("arousal", "float", lambda sample: sample.estimate.arousal),
    Column("valence_low", "float", lambda sample: _end(sample.estimate.valence_interval, 0)),
    Column("valence_high", "float", lambda sample: _end(sample.estimate.valence_interval, 1)),
    Column("arousal_low", "float", lambda sample: _end(sample.estimate.arousal_interval, 0)),
    Column("arousal_high", "float", lambda sample: _end(sample.estimate.arousal_interval, 1)),
)
_STATE = (
    Column("status", "text", lambda sample: sample.estimate.status),
    Column("coverage", "float", lambda sample: sample.estimate.coverage),
    Column("context_fill", "float", lambda sample: sample.estimate.context_fill),
    Column("lookahead_s", "float", lambda sample: sample.estimate.lookahead_s),
    Column("refines", "int", lambda sample: sample.estimate.refines),
)
_BOX = (
    Column("box_x", "float", lambda sample: sample.estimate.box.x),
    Column("box_y", "float", lambda sample: sample.estimate.box.y),
    Column("box_w", "float", lambda sample: sample.estimate.box.w),
    Column("box_h", "float", lambda sample: sample.estimate.box.h),
    Column("quality", "float", lambda sample: sample.estimate.quality),
)
_MESSAGE = (
    Column("stream", "text", lambda sample: sample.estimate.stream),
    Column("seq", "int", lambda sample: sample.estimate.seq),
    Column("t_capture_ns", "int", lambda sample: sample.estimate.t_capture_ns),
)
